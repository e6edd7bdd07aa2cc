//! The wire as clients meet it: a real server on a free port, a real ledger in a temporary folder, foreign clients.

mod access;
mod agents;
mod cloudevents;
mod conductor;
mod emitting;
mod faults;
mod history;
mod json_suite;
mod lane;
mod limits;
mod operations;
mod patience;
mod shutdown;
mod socketio;
mod streaming;
mod support;
mod websocket;
