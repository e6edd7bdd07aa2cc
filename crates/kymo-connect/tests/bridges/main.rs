//! Bridges against the real hub, and against the real servers of other systems.

mod broker;
mod files;
mod nats;
mod rig;
mod sinks;
