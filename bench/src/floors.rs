//! What this machine allows when nothing else is done: the measure for everyone.

mod disk;
mod loopback;
mod parse;
mod synced;

pub(crate) use self::{
    disk::append_and_sync,
    loopback::{burst as loopback_websocket, file_to_reader},
    synced::{hand_on, ping_pong, ping_pong_http},
};
