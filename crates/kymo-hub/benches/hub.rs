//! What the hub costs without a socket: taking batches in, and handing committed ones to many readers.
//!
//! The ledger below is a real one in a temporary folder, synced before every answer.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kymo_event::{Filter, Limits, LineView, RecordFormat, Records, Seq};
use kymo_hub::{
    Around, Delivery, Encoder, From, Hub, HubSettings, Intake, Principal, SubscribeRequest, Subscriber,
};
use kymo_ledger::{Ledger, LedgerSettings};
use tokio::{runtime::Runtime, task::JoinSet};

const EVENTS: usize = 1_000;
const READERS: usize = 500;

/// Bodies with ids made so far: every one must be new.
static TURNS: AtomicU64 = AtomicU64::new(0);

/// Lines joined by commas: what the native encoders of the wire do.
#[derive(Debug)]
struct Joined;

impl Encoder for Joined {
    fn name(&self) -> &str {
        "joined"
    }
    fn frame(&self, _: u32, _: Seq, lines: &mut dyn Iterator<Item = LineView<'_>>, out: &mut Vec<u8>) {
        for view in lines {
            out.extend_from_slice(view.line());
            out.push(b',');
        }
    }
    fn around(&self, _: u32, _: Seq, _: usize) -> Option<Around> {
        Some(Around {
            before: b"[".to_vec(),
            between: b',',
            after: b"]",
        })
    }
}

struct Bench {
    runtime: Runtime,
    hub: Hub,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new(settings: HubSettings) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let ledger =
            Ledger::open(folder.path(), LedgerSettings::default(), Box::new(|_| {})).expect("a ledger");
        let hub = runtime.block_on(async { Hub::start(settings, ledger) });
        Self {
            runtime,
            hub,
            _folder: folder,
        }
    }

    async fn subscribe(&self, filter: &str, from: From) -> Subscriber {
        let request = SubscribeRequest {
            filter: Filter::parse(filter).expect("a filter"),
            channels: vec![],
            from,
            encoder: Arc::new(Joined),
        };
        self.hub
            .subscribe(request, &Principal::owner())
            .await
            .expect("the owner may read")
    }

    fn end(&self) -> u64 {
        self.hub.ledger().head().map_or(0, Seq::get)
    }

    /// Commits so many batches, a few at a time.
    async fn publish(&self, body: &[u8], batches: u64) {
        let mut open = JoinSet::new();
        for _ in 0..batches {
            if open.len() >= 4 {
                open.join_next().await;
            }
            open.spawn(taken_in(&self.hub, body).commit());
        }
        while let Some(receipt) = open.join_next().await {
            assert_eq!(receipt.expect("no panic").expect("stored").accepted, EVENTS);
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.runtime.block_on(self.hub.close());
    }
}

/// A body of events of about 350 bytes each.
fn body(with_ids: bool, turn: u64) -> Vec<u8> {
    let lines = (0..EVENTS).map(|number| {
        let id = if with_ids { format!(r#""id":"0198c2f0-{turn}-{number}","#) } else { String::new() };
        format!(
            r#"{{{id}"time":"2026-02-14T19:01:23.456789Z","type":"tool.started","source":"claude-code","agent":"planner-{}","session":"3f2a","task":"demo-001","data":{{"tool":"Bash","n":{number},"text":"{}"}}}}"#,
            number % 20,
            "x".repeat(160)
        )
    });
    lines.collect::<Vec<_>>().join("\n").into_bytes()
}

fn taken_in(hub: &Hub, body: &[u8]) -> Intake {
    let mut intake = hub.intake(Principal::owner(), "bench");
    intake.reserve(body.len());
    for record in Records::new(body, RecordFormat::Lines, &Limits::default()).expect("records") {
        intake.take(record, None);
    }
    intake
}

fn taking_in(criterion: &mut Criterion) {
    let bench = Bench::new(HubSettings::default());
    let plain = body(false, 0);
    let mut group = criterion.benchmark_group("intake");
    group.throughput(Throughput::Elements(EVENTS as u64));
    group.bench_function("parse", |bencher| {
        bencher.iter(|| {
            for record in Records::new(&plain, RecordFormat::Lines, &Limits::default()).expect("records") {
                black_box(record.value.is_ok());
            }
        });
    });
    group.bench_function("admit", |bencher| {
        bencher.iter(|| black_box(taken_in(&bench.hub, &plain)).len());
    });
    group.bench_function("commit", |bencher| {
        bencher.iter_custom(|batches| {
            let start = Instant::now();
            bench.runtime.block_on(bench.publish(&plain, batches));
            start.elapsed()
        });
    });
    group.bench_function("commit_with_ids", |bencher| {
        bencher.iter_custom(|batches| {
            let mut spent = Duration::ZERO;
            for _ in 0..batches {
                let body = body(true, TURNS.fetch_add(1, Relaxed));
                let start = Instant::now();
                bench.runtime.block_on(bench.publish(&body, 1));
                spent += start.elapsed();
            }
            spent
        });
    });
    group.finish();
}

/// Reads until the cursor is at `end`; returns how many events came.
async fn drain(subscriber: &mut Subscriber, end: u64) -> u64 {
    let mut events = 0;
    loop {
        if let Delivery::Frame {
            cursor,
            events: more,
            bytes,
        } = subscriber.next().await
        {
            black_box(bytes.len());
            events += more as u64;
            if cursor.get() >= end {
                return events;
            }
        }
    }
}

fn fanning_out(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fan_out");
    group.sample_size(20);
    group.throughput(Throughput::Elements((EVENTS * READERS) as u64));
    let plain = body(false, 0);
    let shared = |filter: &'static str| move |_: usize| filter.to_owned();
    // Everybody wants something else: nothing can be shared but the reading of the lines.
    let distinct = |number: usize| format!("level:>=info -agent:nobody-{number}");
    let kinds: [(&str, &dyn Fn(usize) -> String); 3] = [
        ("everything", &shared("")),
        ("filtered", &shared("agent:planner-1* level:>=info")),
        ("500_filters", &distinct),
    ];
    for (name, filter) in kinds {
        let bench = Bench::new(HubSettings::default());
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|batches| bench.runtime.block_on(fan_out(&bench, &plain, filter, batches)));
        });
    }
    group.finish();
}

/// One publisher, five hundred readers who are there already; ends when everyone has everything.
async fn fan_out(bench: &Bench, body: &[u8], filter: &dyn Fn(usize) -> String, batches: u64) -> Duration {
    let end = bench.end() + batches * EVENTS as u64;
    let mut readers = JoinSet::new();
    let expected = Arc::new(AtomicU64::new(0));
    for number in 0..READERS {
        let mut subscriber = bench.subscribe(&filter(number), From::Now).await;
        assert!(matches!(subscriber.next().await, Delivery::CaughtUp { .. }));
        readers.spawn(async move { drain(&mut subscriber, end).await });
    }
    let start = Instant::now();
    bench.publish(body, batches).await;
    while let Some(events) = readers.join_next().await {
        let events = events.expect("no panic");
        let first = expected.swap(events, Relaxed);
        assert!(first == 0 || first == events, "everyone got the same");
    }
    start.elapsed()
}

fn replaying(criterion: &mut Criterion) {
    let bench = Bench::new(HubSettings::default());
    let plain = body(false, 0);
    let batches = 200;
    bench.runtime.block_on(bench.publish(&plain, batches));
    let end = bench.end();
    let mut group = criterion.benchmark_group("replay");
    group.sample_size(10);
    group.throughput(Throughput::Elements(end));
    for readers in [1, 50] {
        group.throughput(Throughput::Elements(end * readers));
        group.bench_function(format!("readers_{readers}"), |bencher| {
            bencher.iter_custom(|turns| {
                let start = Instant::now();
                for _ in 0..turns {
                    bench.runtime.block_on(async {
                        let mut open = JoinSet::new();
                        for _ in 0..readers {
                            let mut subscriber = bench.subscribe("", From::Start).await;
                            open.spawn(async move { drain(&mut subscriber, end).await });
                        }
                        while let Some(events) = open.join_next().await {
                            assert_eq!(events.expect("no panic"), end);
                        }
                    });
                }
                start.elapsed()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, taking_in, fanning_out, replaying);
criterion_main!(benches);
