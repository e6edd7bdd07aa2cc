//! How load is made, the same for everyone: connections that one thread serves, and the loops that drive them.
//!
//! A [`Wire`] knows a protocol; nothing else here does. Requests are bytes that were made before the clock started.

mod closed;
mod drive;
mod link;
mod opening;

pub(crate) use self::{
    closed::{Call, Laps, closed_loop},
    drive::Drive,
    link::{Heard, Idle, Link, Wire},
    opening::Opening,
};
#[cfg(test)]
pub(crate) use link::wherever_it_is_cut;
