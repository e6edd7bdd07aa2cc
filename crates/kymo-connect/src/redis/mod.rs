//! Redis: a source from streams and channels, a sink to a stream and a channel.
//!
//! `server` reaches a server and says what is wrong in words that help; `entry` understands what a stream answers. `group`
//! reads through a consumer group on a connection of its own; `follow` stores what it read, and acknowledges what is
//! stored. `channels` hears, `listen` stores what is heard, and `pairs` tells what came both ways. `publish` is the sink; `mark` is how a source knows what this very ledger published.

mod channels;
mod dropped;
mod entry;
mod follow;
mod group;
mod listen;
mod mark;
mod pairs;
mod publish;
mod server;
mod settings;
mod state;

pub use settings::{RedisServer, RedisSink, RedisSource};

use std::time::Duration;

use kymo_hub::{BridgeAbout, Direction, Hub};
use tokio_util::sync::CancellationToken;

use crate::{
    Cursors,
    sink::{SinkPlan, run_sink},
    source::run_source,
};

/// The `kind` of these bridges.
const KIND: &str = "redis";

/// How long a server may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Runs a source until shutdown.
pub(crate) async fn run_redis_source(
    name: String,
    settings: RedisSource,
    hub: Hub,
    cursors: Cursors,
    end: CancellationToken,
) {
    let about = BridgeAbout {
        target: settings.target(),
        kind: KIND,
        direction: Direction::Source,
        name: name.clone(),
    };
    let source = follow::Source::new(&name, settings, &hub, &cursors);
    run_source(source, about, hub, end).await;
}

/// Runs a sink until shutdown.
pub(crate) async fn run_redis_sink(
    name: String,
    settings: RedisSink,
    hub: Hub,
    cursors: Cursors,
    end: CancellationToken,
) {
    let plan = SinkPlan {
        about: BridgeAbout {
            target: settings.target(),
            kind: KIND,
            direction: Direction::Sink,
            name: name.clone(),
        },
        selection: settings.selection(),
    };
    let sink = publish::RedisSink::new(&name, settings, hub.clone());
    run_sink(sink, plan, hub, &cursors, end).await;
}
