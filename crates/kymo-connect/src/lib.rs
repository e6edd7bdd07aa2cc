//! Sources and sinks: the activity of a folder, the spools that emitters left while no server answered, and bridges to
//! other systems.
//!
//! A source turns what really happens outside into events and hands them to an [`Outlet`]; it knows neither who
//! listens nor HTTP. `kymo-hub` is behind the outlet in the same process, a server elsewhere is behind the program's. A sink is a
//! reader of the hub. Both keep their place on disk and show how they are on the hub's board.

mod bridges;
mod clock;
mod cursors;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod git;
mod outlet;
mod retry;
pub mod sink;
mod spool;
mod watch;

pub use bridges::{Bridges, BridgesSettings, SinkSettings, SourceSettings, without_userinfo};
pub use cursors::{CursorFile, Cursors, Loaded};
pub use outlet::{Emitted, HubOutlet, Outlet, Refused, Taken};
pub use retry::{Pauses, pause};
pub use spool::{SpoolWriter, take_up_spools};
pub use watch::{Watch, WatchError, WatchSettings, WatchStatus};
