//! NATS: sources from subjects and from JetStream, sinks to both.
//!
//! `server` reaches a server and notices when it is gone; `subject` makes subjects of events. `core` follows subjects, for which the server keeps nothing; `stream` follows a JetStream consumer, which
//! keeps everything until we have it; `publish` is the sink, and `word` what a stream says to it.

mod core;
mod publish;
mod server;
mod settings;
mod stream;
mod subject;
mod word;

pub use settings::{NatsServer, NatsSink, NatsSource};

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, Stream, StreamExt};
use kymo_hub::{BridgeAbout, Direction, Hub};
use tokio_util::sync::CancellationToken;

use crate::{
    Cursors, HubOutlet,
    messages::{Message, Publisher},
    sink::{SinkPlan, run_sink},
    source::run_source,
};

/// The `kind` of these bridges.
const KIND: &str = "nats";
/// What ledger a message was published from: our own messages are not taken back.
const LEDGER_HEADER: &str = "Kymo-Ledger";
/// How often the event went from one ledger to another.
const HOPS_HEADER: &str = "Kymo-Hops";
/// What JetStream knows repeats by.
const ID_HEADER: &str = "Nats-Msg-Id";

/// Messages handed over together at most, and about how many bytes of them.
const BATCH_MESSAGES: usize = 1_000;
const BATCH_BYTES: usize = 1 << 20;

/// How long a server may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Runs a source until shutdown.
pub(crate) async fn run_nats_source(
    name: String,
    settings: NatsSource,
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
    let outlet = HubOutlet::new(hub.clone(), KIND);
    if settings.stream.is_some() {
        // No source can have this name; one may follow subjects first, and a stream later.
        let place = cursors.of(Direction::Source, &format!("{name}.stream"));
        let source = stream::StreamSource::new(&name, settings, &hub, Arc::new(outlet), place);
        run_source(source, about, hub, end).await;
    } else {
        let place = cursors.of(Direction::Source, &name);
        let source = core::CoreSource::new(settings, &hub, Arc::new(outlet.dropping_over_rate()), place);
        run_source(source, about, hub, end).await;
    }
}

/// Runs a sink until shutdown.
pub(crate) async fn run_nats_sink(
    name: String,
    settings: NatsSink,
    hub: Hub,
    cursors: Cursors,
    end: CancellationToken,
) {
    let plan = SinkPlan {
        about: BridgeAbout {
            target: settings.target(),
            kind: KIND,
            direction: Direction::Sink,
            name,
        },
        selection: settings.selection(),
    };
    let sink = publish::NatsSink::new(settings, hub.ledger().id());
    run_sink(sink, plan, hub, &cursors, end).await;
}

/// A message as any broker's are read. `place`: an id made of its place in a stream, for one that has no other.
fn message_of(message: &async_nats::Message, place: Option<String>) -> Message<'_> {
    let header = |name: &str| {
        let headers = message.headers.as_ref()?;
        headers.get(name).map(|value| value.as_str())
    };
    Message {
        subject: &message.subject,
        payload: &message.payload,
        from: header(LEDGER_HEADER).map(|ledger| Publisher {
            ledger,
            hops: header(HOPS_HEADER)
                .and_then(|hops| hops.parse().ok())
                .unwrap_or(0),
        }),
        id: header(ID_HEADER).map(ToOwned::to_owned).or(place),
    }
}

/// The next messages: waits for the first, then takes what is there already. `None` at the end of the stream.
async fn next_batch<S, T>(messages: &mut S, bytes_of: impl Fn(&T) -> usize) -> Option<Vec<T>>
where
    S: Stream<Item = T> + Unpin,
{
    let mut batch = vec![messages.next().await?];
    let mut bytes = bytes_of(&batch[0]);
    while batch.len() < BATCH_MESSAGES && bytes < BATCH_BYTES {
        let Some(Some(message)) = messages.next().now_or_never() else {
            break;
        };
        bytes += bytes_of(&message);
        batch.push(message);
    }
    Some(batch)
}
