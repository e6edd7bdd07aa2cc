//! A hub on a ledger in a folder of its own, and readers that note what they are told.
#![allow(dead_code, unreachable_pub)] // each test file uses a part of it

mod flaky;
pub mod rounds;

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use kymo_event::{Batch, Event, Filter, LineView, Seq};
use kymo_hub::{
    Delivery, Encoder, From, Hub, HubSettings, Notices, Principal, PublishError, Receipt, SubscribeRequest,
    Subscriber,
};
use kymo_ledger::{Ground, Ledger, LedgerSettings};
use tempfile::TempDir;

pub use flaky::{Faults, FlakyDisk};

/// Longer than anything here takes, however busy the machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A hub and its folder.
pub struct TempHub {
    pub hub: Hub,
    /// What fails on its disk.
    pub faults: Arc<Faults>,
    folder: TempDir,
    made: Made,
}

/// How it was made.
#[derive(Clone, Default)]
pub struct Made {
    pub settings: HubSettings,
    pub ledger: LedgerSettings,
    /// Whether what the ledger notices becomes events; most tests count on being alone.
    pub notices: bool,
}

impl TempHub {
    pub fn new() -> Self {
        Self::made(Made::default())
    }

    pub fn with(settings: HubSettings) -> Self {
        Self::with_ledger(settings, LedgerSettings::default())
    }

    pub fn with_ledger(settings: HubSettings, ledger: LedgerSettings) -> Self {
        Self::made(Made {
            settings,
            ledger,
            notices: false,
        })
    }

    pub fn made(made: Made) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let faults = Arc::new(Faults::default());
        Self {
            hub: start(&folder, &made, &faults),
            faults,
            folder,
            made,
        }
    }

    /// The data folder.
    pub fn path(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Starts another hub on the same folder after this one was cut off, as far as folds can tell: what it knew is lost.
    pub async fn reopened_without_keeping(self) -> Self {
        let ledger = self.hub.ledger().clone();
        tokio::task::spawn_blocking(move || ledger.close())
            .await
            .expect("the ledger closes");
        self.started_again()
    }

    /// Closes the hub and starts another one on the same folder.
    pub async fn restarted(self) -> Self {
        self.hub.close().await;
        self.started_again()
    }

    fn started_again(self) -> Self {
        let Self {
            hub,
            faults,
            folder,
            made,
        } = self;
        drop(hub);
        Self {
            hub: start(&folder, &made, &faults),
            faults,
            folder,
            made,
        }
    }

    /// The ledger's segments, oldest first.
    pub fn segments(&self) -> Vec<std::path::PathBuf> {
        let files = std::fs::read_dir(self.folder.path().join("ledger")).expect("the ledger's folder");
        let mut segments: Vec<_> = files.map(|file| file.expect("an entry").path()).collect();
        segments.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
        segments.sort();
        segments
    }

    pub fn head(&self) -> u64 {
        self.hub.ledger().head().map_or(0, Seq::get)
    }

    pub async fn publish(&self, events: impl IntoIterator<Item = Event<'_>>) -> Receipt {
        publish(&self.hub, events).await.expect("the hub takes it")
    }

    /// Stores `count` events of types `even` and `odd` in turn.
    pub async fn fill(&self, count: u64) -> Receipt {
        let head = self.head();
        self.publish((head + 1..=head + count).map(numbered)).await
    }

    /// Lets retention remove the oldest: only what is indexed can be judged and what is folded may go, and both go on
    /// behind the commit.
    pub async fn forget_the_oldest(&self) {
        let until = Instant::now() + PATIENCE;
        while self.hub.ledger().first() == Seq::FIRST {
            assert!(Instant::now() < until, "nothing is removed");
            self.hub.ledger().maintain().expect("the ledger tidies up");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub fn read(&self, filter: &str, from: From) -> Reader {
        Reader {
            subscriber: subscribe(&self.hub, filter, from),
        }
    }
}

fn start(folder: &TempDir, made: &Made, faults: &Arc<Faults>) -> Hub {
    let notices = Notices::new();
    let ground = Ground {
        disk: Arc::new(FlakyDisk(Arc::clone(faults))),
        ..Ground::default()
    };
    let ledger =
        Ledger::open_on(ground, folder.path(), made.ledger.clone(), notices.on_notice()).expect("a ledger");
    match made.notices {
        true => Hub::start_with(made.settings.clone(), ledger, notices),
        false => Hub::start(made.settings.clone(), ledger),
    }
}

/// An event that says its seq if nothing else is stored beside it.
pub fn numbered(number: u64) -> Event<'static> {
    let mut event = Event::new(if number.is_multiple_of(2) { "even" } else { "odd" }, "test");
    event.data = Some(number.to_string().into());
    event
}

pub fn with_id(id: &str, data: &str) -> Event<'static> {
    let mut event = Event::new("a.b", "test");
    event.id = Some(id.to_owned().into());
    event.data = Some(data.to_owned().into());
    event
}

pub async fn publish(
    hub: &Hub,
    events: impl IntoIterator<Item = Event<'_>>,
) -> Result<Receipt, PublishError> {
    let mut intake = hub.intake(Principal::owner(), "test");
    for (index, event) in events.into_iter().enumerate() {
        intake.event(index, event);
    }
    intake.commit().await
}

/// Subscribes from anywhere but a time, which takes no waiting.
pub fn subscribe(hub: &Hub, filter: &str, from: From) -> Subscriber {
    let request = SubscribeRequest {
        filter: Filter::parse(filter).expect("a filter"),
        channels: vec![],
        from,
        encoder: Arc::new(Seqs),
    };
    let principal = Principal::owner();
    let subscriber = std::pin::pin!(hub.subscribe(request, &principal));
    match subscriber.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(subscriber) => subscriber.expect("the owner may read"),
        Poll::Pending => panic!("only a time must be looked for"),
    }
}

/// Writes each event's seq, separated by spaces.
#[derive(Debug)]
pub struct Seqs;

impl Encoder for Seqs {
    fn name(&self) -> &str {
        "seqs"
    }
    fn frame(&self, _: u32, _: Seq, lines: &mut dyn Iterator<Item = LineView<'_>>, out: &mut Vec<u8>) {
        for view in lines {
            out.extend_from_slice(view.seq().to_string().as_bytes());
            out.push(b' ');
        }
    }
}

pub fn seqs(frame: &[u8]) -> Vec<u64> {
    let text = std::str::from_utf8(frame).expect("text");
    text.split_whitespace()
        .map(|seq| seq.parse().expect("a seq"))
        .collect()
}

/// A subscriber that never waits for ever.
pub struct Reader {
    pub subscriber: Subscriber,
}

impl Reader {
    pub async fn next(&mut self) -> Delivery {
        tokio::time::timeout(PATIENCE, self.subscriber.next())
            .await
            .expect("something is delivered")
    }

    /// Seqs of all events up to `cursor`.
    pub async fn up_to(&mut self, cursor: u64) -> Vec<u64> {
        let mut got = vec![];
        loop {
            match self.next().await {
                Delivery::Frame {
                    bytes, cursor: at, ..
                } => {
                    got.extend(seqs(&bytes));
                    if at.get() >= cursor {
                        return got;
                    }
                }
                Delivery::CaughtUp { cursor: Some(at) } if at.get() >= cursor => return got,
                Delivery::CaughtUp { .. } | Delivery::FellBehind { .. } => {}
                other => panic!("an event was due, not {other:?}"),
            }
        }
    }

    pub async fn caught_up(&mut self) {
        let delivery = self.next().await;
        assert!(matches!(delivery, Delivery::CaughtUp { .. }), "{delivery:?}");
    }
}

/// The body of an event as a batch writes it.
pub fn body(event: &Event<'_>) -> Vec<u8> {
    let mut batch = Batch::default();
    batch.push(event);
    batch.body(0).to_vec()
}
