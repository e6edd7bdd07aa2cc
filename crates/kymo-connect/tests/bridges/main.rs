//! Bridges against the real hub, and against the real servers of other systems.

mod broker;
mod files;
mod nats;
mod process;
mod redis;
mod redis_server;
mod rig;
mod running;
mod sinks;
