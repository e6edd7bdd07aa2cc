//! What this machine allows when nothing else is done: the measure for everyone.

mod disk;
mod loopback;
mod parse;

pub(crate) use self::{
    disk::append_and_sync,
    loopback::{burst as loopback_websocket, ping_pong},
};
