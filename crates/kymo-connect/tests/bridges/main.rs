//! Bridges against the real hub, and against the real servers of other systems.

mod rig;
mod sinks;
