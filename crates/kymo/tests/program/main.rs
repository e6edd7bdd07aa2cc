//! The real program, command by command, its faults included.
#![allow(missing_docs, reason = "tests say by their names what they show")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

#[path = "../support/mod.rs"]
mod support;

#[path = "../../../kymo-connect/tests/bridges/broker.rs"]
mod broker;
#[path = "../../../kymo-connect/tests/bridges/process.rs"]
mod process;
#[path = "../../../kymo-connect/tests/bridges/redis_server.rs"]
mod redis_server;

mod agents;
mod bench;
mod clock;
mod config;
mod disk_full;
mod docs;
mod emit;
mod export;
mod follow;
mod hostile;
mod import;
mod nats;
mod protocol_suites;
mod query;
mod redis;
mod replay;
mod routes;
mod run;
mod serve;
mod stress;
mod tail;
mod token;
mod up;
mod verify;
mod watch;
