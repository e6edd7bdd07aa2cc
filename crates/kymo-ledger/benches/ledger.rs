//! What the ledger does in a second, beside what the disk alone does.
//!
//! `cargo bench -p kymo-ledger`, or with a number of thousands of events and some of the parts `floor`, `append`,
//! `read`, `latency`: `-- 500 append`. Events are 350 bytes as an
//! emitter sends them; everything acknowledged is synced first.
#![allow(clippy::print_stdout, clippy::cast_possible_truncation, missing_docs)]

use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::Path,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use kymo_event::{Batch, Event, Filter, IdKey, Seq};
use kymo_ledger::{Chunk, Ledger, LedgerSettings, ReadOnly, Reader};

const BATCH: u64 = 1000;

fn main() {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let thousands = words
        .iter()
        .find_map(|word| word.parse().ok())
        .unwrap_or(1000_u64);
    let parts: Vec<&String> = words.iter().filter(|word| word.parse::<u64>().is_err()).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|word| *word == part);
    let folder = tempfile::tempdir().expect("a temporary folder");
    warm_up();
    let line = line_bytes(&folder.path().join("one"));
    println!("a line is {line} bytes; {thousands},000 events");
    if wanted("floor") {
        floor(folder.path(), thousands, line);
    }
    if wanted("append") {
        append_batches(&folder.path().join("one-by-one"), thousands, 1);
    }
    let data = folder.path().join("batches");
    append_batches(&data, thousands, 8);
    if wanted("read") {
        opening(&data);
        reading(&data);
        ids(&data);
    }
    if wanted("latency") {
        latency(&folder.path().join("latency"), 1, 3_000);
        latency(&folder.path().join("clients"), 64, 100_000);
    }
}

fn event(n: u64) -> Event<'static> {
    const TYPES: [&str; 10] = [
        "tool.started",
        "tool.ended",
        "message.sent",
        "task.started",
        "task.ended",
        "note",
        "file.changed",
        "model.called",
        "model.answered",
        "plan.changed",
    ];
    let mut event = Event::new(TYPES[(n % 10) as usize], "bench");
    event.agent = Some(format!("agent-{}", n % 100).into());
    event.session = Some(format!("session-{}", n / 5000).into());
    event.data = Some(format!(r#"{{"n":{n},"tool":"Bash","text":"{}"}}"#, "word and ".repeat(21)).into());
    event
}

fn batch(first: u64, count: u64) -> Batch {
    let mut batch = Batch::with_capacity(count as usize * 400, count as usize);
    (first..first + count).for_each(|n| batch.push(&event(n)));
    batch
}

// The first touch of memory halves a figure on some virtual machines.
fn warm_up() {
    let mut memory = vec![0_u8; 512 << 20];
    memory.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
    std::hint::black_box(&memory);
}

fn open(data: &Path) -> Ledger {
    Ledger::open(data, LedgerSettings::default(), Box::new(|_| {})).expect("the ledger opens")
}

fn line_bytes(data: &Path) -> u64 {
    let ledger = open(data);
    let (done, answer) = mpsc::channel();
    ledger.append(
        batch(1, BATCH),
        Box::new(move |result| done.send(result).expect("somebody waits")),
    );
    answer.recv().expect("an answer").expect("appended");
    ledger.close();
    let size = std::fs::metadata(data.join("ledger/00000000000000000001.jsonl"))
        .expect("a segment")
        .len();
    size / BATCH
}

fn floor(folder: &Path, thousands: u64, line: u64) {
    let file = File::create(folder.join("floor")).expect("a file");
    let bytes = vec![b'x'; (line * BATCH) as usize];
    let begun = Watch::start();
    for n in 0..thousands {
        file.write_all_at(&bytes, n * bytes.len() as u64)
            .expect("written");
        file.sync_data().expect("synced");
    }
    rate(
        "floor: append + fdatasync of the same bytes",
        thousands * BATCH,
        begun.read(),
    );
}

fn append_batches(data: &Path, thousands: u64, depth: usize) {
    let ledger = open(data);
    let (done, answers) = mpsc::sync_channel(depth);
    let mut waited = Spent::default();
    let (mut sent, mut answered) = (0, 0);
    // Batches are made before the clock runs, some hundred thousand events at a time.
    while sent < thousands {
        let part: Vec<Batch> = (0..100.min(thousands - sent))
            .map(|n| batch((sent + n) * BATCH + 1, BATCH))
            .collect();
        let begun = Watch::start();
        for batch in part {
            if sent - answered >= depth as u64 {
                answers.recv().expect("an answer");
                answered += 1;
            }
            let done = done.clone();
            let answer = move |result: Result<_, _>| {
                result.expect("appended");
                done.send(()).expect("somebody waits");
            };
            ledger.append(batch, Box::new(answer));
            sent += 1;
        }
        while answered < sent {
            answers.recv().expect("an answer");
            answered += 1;
        }
        waited.add(begun.read());
    }
    rate(
        &format!("append batches of 1,000, {depth} in flight, durable"),
        thousands * BATCH,
        waited,
    );
    let begun = Watch::start();
    ledger.close();
    println!(
        "  close (index and chain finished) {:?}; {} bytes on disk per event",
        begun.read().time,
        ledger.size_bytes() / thousands / BATCH
    );
}

fn opening(data: &Path) {
    for round in ["open", "open again"] {
        let begun = Watch::start();
        let ledger = open(data);
        let opened = begun.read();
        let mut reader = ledger.read(Seq::FIRST, &Filter::all());
        reader.next_chunk(64 << 10).expect("read");
        let read = begun.read();
        println!(
            "{round}: {:?} ({:?} of processor), first read after {:?}",
            opened.time, opened.cpu, read.time
        );
        ledger.close();
    }
}

fn reading(data: &Path) {
    let ledger = open(data);
    let head = ledger.head().expect("events").get();
    for round in ["sequential read", "sequential read, again"] {
        let (lines, time) = drain(&mut ledger.read(Seq::FIRST, &Filter::all()));
        assert_eq!(lines, head);
        rate(round, lines, time);
    }
    let (lines, time) = drain(&mut ledger.read_back(Seq::new(head).expect("a head"), &Filter::all()));
    rate("backwards", lines, time);
    for filter in [
        "agent:agent-7",
        "type:note agent:agent-15",
        "session:session-3",
        "type:no-such-type",
        "level:>=warn",
        "data.n:<10",
        "\"no such words\"",
    ] {
        let parsed = Filter::parse(filter).expect("a filter");
        let (lines, time) = drain(&mut ledger.read(Seq::FIRST, &parsed));
        rate(&format!("filter {filter}: {lines} matches; scanned"), head, time);
    }
    ledger.close();
    let begun = Watch::start();
    let report = ReadOnly::open(data)
        .expect("opens")
        .verify(None, &mut |_, _| {})
        .expect("verified");
    assert!(report.damage.is_empty());
    rate("verify", report.events, begun.read());
}

fn drain(reader: &mut Reader) -> (u64, Spent) {
    let begun = Watch::start();
    let mut count = 0;
    loop {
        match reader.next_chunk(256 << 10).expect("read") {
            Chunk::Events { lines, .. } => count += lines.len() as u64,
            Chunk::Gap(gap) => panic!("nothing is missing: {gap:?}"),
            Chunk::End { .. } => return (count, begun.read()),
        }
    }
}

fn ids(data: &Path) {
    let ledger = open(data);
    let before = ledger.head().expect("events");
    let keys: Vec<IdKey> = (0..1000).map(|n| IdKey::of("bench", &n.to_string())).collect();
    assert_eq!(ledger.find_ids(&keys, before), []);
    let begun = Watch::start();
    for _ in 0..100 {
        assert_eq!(ledger.find_ids(&keys, before), []);
    }
    rate("strange ids looked up", 100 * 1000, begun.read());
    ledger.close();
}

/// Clients that each send one event and wait for its ack.
fn latency(data: &Path, clients: usize, events: u64) {
    let ledger = Arc::new(open(data));
    let each = events / clients as u64;
    let begun = Watch::start();
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let client = |client: u64| {
            let ledger = ledger.clone();
            move || {
                (0..each)
                    .map(|n| one(&ledger, client * each + n))
                    .collect::<Vec<_>>()
            }
        };
        let clients: Vec<_> = (0..clients as u64).map(|n| scope.spawn(client(n))).collect();
        clients
            .into_iter()
            .flat_map(|client| client.join().expect("a client"))
            .collect()
    });
    let spent = begun.read();
    times.sort_unstable();
    let at = |part: usize| times[times.len() * part / 1000];
    rate(
        &format!("one event per call, {clients} waiting"),
        times.len() as u64,
        spent,
    );
    println!("  p50 {:?}, p99 {:?}, p999 {:?}", at(500), at(990), at(999));
    ledger.close();
}

fn one(ledger: &Ledger, n: u64) -> Duration {
    let batch = batch(n, 1);
    let (done, answer) = mpsc::sync_channel(1);
    let begun = Instant::now();
    ledger.append(
        batch,
        Box::new(move |result| done.send(result).expect("somebody waits")),
    );
    answer.recv().expect("an answer").expect("appended");
    begun.elapsed()
}

/// Prints how many a second, and (which a busy machine disturbs less) how much processor each one took.
fn rate(what: &str, count: u64, spent: Spent) {
    let thousands = count as f64 / spent.time.as_secs_f64() / 1000.0;
    let each = spent.cpu.as_nanos() as f64 / count as f64;
    println!("{what}: {thousands:.0} thousand/s, {each:.0} ns of processor each");
}

/// Time on the clock and on all processors.
#[derive(Clone, Copy, Default)]
struct Spent {
    time: Duration,
    cpu: Duration,
}

impl Spent {
    fn add(&mut self, other: Self) {
        self.time += other.time;
        self.cpu += other.cpu;
    }
}

struct Watch {
    time: Instant,
    cpu: Duration,
}

impl Watch {
    fn start() -> Self {
        Self {
            time: Instant::now(),
            cpu: cpu(),
        }
    }

    fn read(&self) -> Spent {
        Spent {
            time: self.time.elapsed(),
            cpu: cpu() - self.cpu,
        }
    }
}

fn cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(
        now.tv_sec.try_into().unwrap_or(0),
        now.tv_nsec.try_into().unwrap_or(0),
    )
}
