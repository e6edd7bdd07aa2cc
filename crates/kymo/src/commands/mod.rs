//! The commands, one file each: its arguments, then what it does. They are listed in [`crate::cli`].

pub(crate) mod agents;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod emit;
pub(crate) mod export;
pub(crate) mod follow;
pub(crate) mod head;
pub(crate) mod import;
pub(crate) mod query;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod tail;
pub(crate) mod token;
pub(crate) mod up;
pub(crate) mod verify;
pub(crate) mod watch;
