//! Sources: the activity of a folder, and the spools that emitters left while no server answered.
//!
//! A source turns what really happens outside into events and hands them to an [`Outlet`]; it knows neither who
//! listens nor HTTP. `kymo-hub` is behind the outlet in the same process, a server elsewhere is behind the program's.

mod clock;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod git;
mod outlet;
mod spool;
mod watch;

pub use outlet::{Emitted, HubOutlet, Outlet, Refused};
pub use spool::{SpoolWriter, take_up_spools};
pub use watch::{Watch, WatchError, WatchSettings, WatchStatus};
