//! Sources and sinks: the activity of a folder, the spools that emitters left while no server answered, and bridges to
//! other systems.
//!
//! A source turns what really happens outside into events and hands them to an [`Outlet`]; it knows neither who
//! listens nor HTTP. `kymo-hub` is behind the outlet in the same process, a server elsewhere is behind the program's. A sink is a
//! reader of the hub. Both keep their place on disk and show how they are on the hub's board.

mod bridges;
mod clock;
mod cursors;
mod file;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod git;
mod hearing;
mod messages;
mod nats;
mod outlet;
mod records;
mod redis;
mod retry;
mod routes;
mod secrets;
pub mod sink;
mod source;
mod spool;
mod stamp;
mod tail;
mod watch;

pub use self::redis::{RedisServer, RedisSink, RedisSource};
pub use bridges::{Bridges, BridgesSettings, SinkSettings, SourceSettings, without_userinfo};
pub use cursors::{CursorFile, Cursors, Loaded};
pub use file::FileSink;
pub use nats::{NatsServer, NatsSink, NatsSource};
pub use outlet::{Emitted, HubOutlet, Outlet, Refused, Taken};
pub use records::{FileRecords, excerpt};
pub use retry::{Pauses, pause};
pub use routes::run_routes;
pub use spool::{SpoolWriter, take_up_spools};
pub use tail::{DialectName, Tail, TailPlan, TailSettings, TailStatus};
pub use watch::{Watch, WatchError, WatchSettings, WatchStatus};

/// Something that happened to Kymo itself, with a JSON object as data.
fn note(
    kind: &'static str,
    level: kymo_event::Level,
    data: &serde_json::Value,
) -> kymo_event::Event<'static> {
    let mut event = kymo_event::Event::new(kind, "kymo");
    event.level = level;
    event.data = Some(data.to_string().into());
    event
}
