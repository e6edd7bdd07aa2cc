//! Readers that come, go, switch filter and fall behind at random, over WebSocket and SSE, while writers write and the
//! server is killed: each gets exactly the matching events, in order, once, and every acknowledged event is there.
//!
//! Seeded: `KYMO_STRESS_SEED=n` repeats a run, `KYMO_STRESS_SECONDS=n` makes it longer.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    net::TcpStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

use crate::support::{Home, Server};

/// A decision about one event, made without Kymo.
type Matches = fn(&Seen) -> bool;

/// The filters readers use, each beside the same decision.
const FILTERS: &[(&str, Matches)] = &[
    ("source:stress", |seen| seen.source == "stress"),
    ("type:task.*", |seen| seen.kind.starts_with("task.")),
    ("type:tool.used level:>=warn", |seen| {
        seen.kind == "tool.used" && seen.level != "info"
    }),
    ("data.n:<100", |seen| seen.n < 100),
    ("source:nobody", |_| false),
];

/// How often the server is killed and started again.
const KILLS: u32 = 3;

/// Types the writers use.
const KINDS: &[&str] = &["task.started", "task.finished", "tool.used", "note"];

/// What identifies an event to a reader.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    seq: u64,
    kind: String,
    source: String,
    level: String,
    writer: u64,
    n: u64,
}

impl Seen {
    fn from_line(event: &Value) -> Self {
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        Self {
            seq: event["seq"].as_u64().expect("every event has a seq"),
            kind: text("type"),
            source: text("source"),
            level: text("level"),
            writer: event["data"]["w"].as_u64().unwrap_or(u64::MAX),
            n: event["data"]["n"].as_u64().unwrap_or(u64::MAX),
        }
    }
}

/// A small generator of our own, so that a seed means the same run for ever.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// What all threads share.
struct Arena {
    address: String,
    token: String,
    writing: AtomicBool,
    /// Head once nothing more is written; 0 before.
    final_head: AtomicU64,
    /// seq → (writer, n) of everything that was acknowledged.
    acknowledged: Mutex<BTreeMap<u64, (u64, u64)>>,
}

/// A stretch of the ledger read with one filter, and what came.
struct Stretch {
    filter: usize,
    from: u64,
    to: u64,
    seen: Vec<Seen>,
}

#[test]
fn every_reader_gets_exactly_what_matches_through_drops_lags_and_kills() {
    let seed = setting("KYMO_STRESS_SEED").unwrap_or_else(|| u64::from(std::process::id()) * 7919 + 1);
    let seconds = setting("KYMO_STRESS_SECONDS").unwrap_or(6);
    eprintln!("KYMO_STRESS_SEED={seed} KYMO_STRESS_SECONDS={seconds}");
    let mut dice = Dice(seed | 1);

    let home = Home::new();
    let mut server = serve(&home, "127.0.0.1:0");
    let arena = Arc::new(Arena {
        address: server
            .url
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned(),
        token: server.token.clone(),
        writing: AtomicBool::new(true),
        final_head: AtomicU64::new(0),
        acknowledged: Mutex::default(),
    });

    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (arena, dice) = (Arc::clone(&arena), Dice(dice.roll(u64::MAX) | 1));
            thread::spawn(move || write(&arena, writer, dice))
        })
        .collect();
    let readers: Vec<_> = (0..10)
        .map(|reader| {
            let (arena, dice) = (Arc::clone(&arena), Dice(dice.roll(u64::MAX) | 1));
            thread::spawn(move || read(&arena, reader % 2 == 0, dice))
        })
        .collect();

    for _ in 0..KILLS {
        thread::sleep(Duration::from_secs(seconds) / (KILLS + 1));
        server.kill();
        server = serve(&home, &arena.address);
    }
    thread::sleep(Duration::from_secs(seconds) / (KILLS + 1));
    arena.writing.store(false, SeqCst);
    writers
        .into_iter()
        .for_each(|writer| writer.join().expect("a writer"));

    let truth = history(&arena);
    let head = truth.keys().next_back().copied().expect("something was written");
    arena.final_head.store(head, SeqCst);
    let stretches: Vec<_> = readers
        .into_iter()
        .flat_map(|reader| reader.join().expect("a reader"))
        .collect();
    drop(server);

    let acknowledged = arena.acknowledged.lock().expect("no writer panicked");
    for (seq, expected) in &*acknowledged {
        let stored = truth.get(seq).map(|seen| (seen.writer, seen.n));
        assert_eq!(stored, Some(*expected), "acknowledged as {seq}");
    }
    no_event_stands_twice(&truth);
    for stretch in &stretches {
        let (filter, matches) = FILTERS[stretch.filter];
        let expected: Vec<&Seen> = truth
            .range(stretch.from..stretch.to + 1)
            .map(|(_, seen)| seen)
            .filter(|seen| matches(seen))
            .collect();
        let got: Vec<&Seen> = stretch.seen.iter().collect();
        assert_eq!(got, expected, "{filter} from {} to {}", stretch.from, stretch.to);
    }
    let delivered: usize = stretches.iter().map(|stretch| stretch.seen.len()).sum();
    eprintln!(
        "{} events, {} acknowledged, {delivered} deliveries in {} stretches",
        truth.len(),
        acknowledged.len(),
        stretches.len()
    );
    assert!(delivered > 1000, "the stress did little: {delivered} deliveries");
}

/// A ring this small makes readers fall behind without having to write gigabytes.
fn serve(home: &Home, listen: &str) -> Server {
    let data = home.data();
    let mut command = home.command(&[
        "serve",
        "--listen",
        listen,
        "--data",
        data.to_str().expect("UTF-8"),
    ]);
    command.env("KYMO_HUB_RING_BYTES_MAX", "65536");
    Server::start(command, &data)
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

fn no_event_stands_twice(truth: &BTreeMap<u64, Seen>) {
    let mut seen = BTreeMap::new();
    for event in truth.values().filter(|event| event.source == "stress") {
        if let Some(before) = seen.insert((event.writer, event.n), event.seq) {
            panic!(
                "writer {} event {} stands at {before} and {}",
                event.writer, event.n, event.seq
            );
        }
    }
}

/// Writes batches until told to stop. What was not acknowledged is sent again: ids make it once.
fn write(arena: &Arena, writer: u64, mut dice: Dice) {
    let mut next = 0;
    while arena.writing.load(SeqCst) {
        let count = 1 + dice.roll(40);
        let events: Vec<Value> = (next..next + count)
            .map(|n| {
                let kind = KINDS[usize::try_from(dice.roll(KINDS.len() as u64)).expect("small")];
                let level = if dice.roll(5) == 0 { "warn" } else { "info" };
                let filler = "x".repeat(usize::try_from(dice.roll(300)).expect("small"));
                json!({"id": format!("{writer}-{n}"), "type": kind, "source": "stress", "level": level, "data": {"w": writer, "n": n, "filler": filler}})
            })
            .collect();
        next += count;
        let body: String = events.iter().map(|event| format!("{event}\n")).collect();
        deliver(arena, writer, next - count, count, &body);
        if dice.roll(3) == 0 {
            thread::sleep(Duration::from_millis(dice.roll(8)));
        }
    }
}

/// Posts one batch until it is acknowledged.
fn deliver(arena: &Arena, writer: u64, first_n: u64, count: u64, body: &str) {
    loop {
        let answer = ureq::post(format!("http://{}/api/v1/events", arena.address))
            .header("Authorization", format!("Bearer {}", arena.token))
            .header("Content-Type", "application/x-ndjson")
            .send(body);
        let Ok(receipt) = answer.and_then(|mut answer| answer.body_mut().read_json::<Value>()) else {
            thread::sleep(Duration::from_millis(20));
            continue;
        };
        note_acknowledged(arena, writer, first_n, count, &receipt);
        return;
    }
}

fn note_acknowledged(arena: &Arena, writer: u64, first_n: u64, count: u64, receipt: &Value) {
    assert_eq!(receipt["rejected"], json!([]), "{receipt}");
    let mut acknowledged = arena.acknowledged.lock().expect("no writer panicked");
    let known: BTreeMap<u64, u64> = receipt["duplicates"]
        .as_array()
        .expect("duplicates")
        .iter()
        .map(|duplicate| {
            (
                duplicate["index"].as_u64().expect("index"),
                duplicate["seq"].as_u64().expect("seq"),
            )
        })
        .collect();
    let mut fresh = receipt["first"].as_u64().unwrap_or(0)..;
    for index in 0..count {
        let seq = known
            .get(&index)
            .copied()
            .unwrap_or_else(|| fresh.next().expect("endless"));
        acknowledged.insert(seq, (writer, first_n + index));
    }
}

/// Reads everything there is, as the truth to compare with.
fn history(arena: &Arena) -> BTreeMap<u64, Seen> {
    let answer = ureq::get(format!(
        "http://{}/api/v1/events?order=oldest&limit=100000000",
        arena.address
    ))
    .header("Authorization", format!("Bearer {}", arena.token))
    .header("Accept", "application/x-ndjson")
    .call()
    .expect("history");
    let lines = BufReader::new(answer.into_body().into_reader()).lines();
    lines
        .map(|line| {
            let event: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
            (event["seq"].as_u64().expect("a seq"), Seen::from_line(&event))
        })
        .collect()
}

/// Reads in sessions, each over a new connection at the cursor of the one before, until all there is has been read.
fn read(arena: &Arena, websocket: bool, mut dice: Dice) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    let mut next = 1;
    while arena.final_head.load(SeqCst) == 0 || next <= arena.final_head.load(SeqCst) {
        let filter = usize::try_from(dice.roll(FILTERS.len() as u64)).expect("small");
        let mut stretch = Stretch {
            filter,
            from: next,
            to: next - 1,
            seen: Vec::new(),
        };
        let sessions = 1 + dice.roll(3);
        for _ in 0..sessions {
            let mut session = Session {
                arena,
                patience: 1 + dice.roll(60),
                stall: dice.roll(4) == 0,
                dice: Dice(dice.roll(u64::MAX) | 1),
            };
            if websocket {
                session.over_websocket(&mut stretch);
            } else {
                session.over_sse(&mut stretch);
            }
        }
        next = stretch.to + 1;
        stretches.push(stretch);
    }
    stretches
}

/// One connection: reads until patience ends, the connection breaks, or everything was read.
struct Session<'a> {
    arena: &'a Arena,
    patience: u64,
    stall: bool,
    dice: Dice,
}

impl Session<'_> {
    fn goes_on(&mut self, stretch: &Stretch) -> bool {
        if self.stall && self.dice.roll(10) == 0 {
            // Long enough for the ring to move on: this reader falls behind.
            thread::sleep(Duration::from_millis(150 + self.dice.roll(250)));
        }
        self.patience = self.patience.saturating_sub(1);
        let head = self.arena.final_head.load(SeqCst);
        if head > 0 {
            stretch.to < head
        } else {
            self.patience > 0
        }
    }

    fn over_websocket(&mut self, stretch: &mut Stretch) -> Option<()> {
        let socket = TcpStream::connect(&self.arena.address).ok()?;
        socket.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
        let mut request = format!("ws://{}/api/v1/ws", self.arena.address)
            .into_client_request()
            .expect("a url");
        request.headers_mut().insert(
            "Authorization",
            format!("Bearer {}", self.arena.token).parse().expect("a header"),
        );
        let (mut socket, _) = tokio_tungstenite::tungstenite::client(request, socket).ok()?;
        let subscribe = json!({"op": "subscribe", "sub": "a", "filter": FILTERS[stretch.filter].0, "from": {"seq": stretch.to + 1}});
        socket.send(Message::text(subscribe.to_string())).ok()?;
        while self.goes_on(stretch) {
            match socket.read().ok()? {
                Message::Text(text) => take_message(&serde_json::from_str(&text).expect("JSON"), stretch),
                _ => continue,
            }
        }
        Some(())
    }

    fn over_sse(&mut self, stretch: &mut Stretch) -> Option<()> {
        let agent = ureq::Agent::new_with_config(
            ureq::Agent::config_builder()
                .timeout_recv_body(Some(Duration::from_secs(2)))
                .build(),
        );
        let filter = FILTERS[stretch.filter]
            .0
            .replace(' ', "%20")
            .replace('>', "%3E")
            .replace('<', "%3C");
        let answer = agent
            .get(format!(
                "http://{}/api/v1/stream?filter={filter}&from=1",
                self.arena.address
            ))
            .header("Authorization", format!("Bearer {}", self.arena.token))
            .header("Last-Event-ID", stretch.to.to_string())
            .call()
            .ok()?;
        let mut lines = BufReader::new(answer.into_body().into_reader()).lines();
        let mut message = SseMessage::default();
        while self.goes_on(stretch) {
            while !message.take(&lines.next()?.ok()?) {}
            std::mem::take(&mut message).apply(stretch);
        }
        Some(())
    }
}

fn take_message(message: &Value, stretch: &mut Stretch) {
    match message["op"].as_str().expect("every message has an op") {
        "events" => {
            stretch.seen.extend(
                message["events"]
                    .as_array()
                    .expect("events")
                    .iter()
                    .map(Seen::from_line),
            );
            stretch.to = message["cursor"].as_u64().expect("a cursor");
        }
        "error" if message["code"] != "closing" => panic!("{message}"),
        "gap" => panic!("nothing is gone here: {message}"),
        _ => {}
    }
}

/// A server-sent event as it comes together.
#[derive(Default)]
struct SseMessage {
    event: String,
    id: Option<u64>,
    data: Option<String>,
}

impl SseMessage {
    /// Takes a line; true at the end of a message.
    fn take(&mut self, line: &str) -> bool {
        if let Some(event) = line.strip_prefix("event:") {
            event.trim().clone_into(&mut self.event);
        } else if let Some(id) = line.strip_prefix("id:") {
            self.id = id.trim().parse().ok();
        } else if let Some(data) = line.strip_prefix("data:") {
            self.data = Some(data.trim().to_owned());
        }
        line.is_empty()
    }

    fn apply(self, stretch: &mut Stretch) {
        assert_ne!(self.event, "gap", "nothing is gone here: {:?}", self.data);
        if let (Some(data), true) = (&self.data, self.event.is_empty() || self.event == "message") {
            stretch
                .seen
                .push(Seen::from_line(&serde_json::from_str(data).expect("JSON")));
        }
        if let Some(id) = self.id {
            stretch.to = stretch.to.max(id);
        }
    }
}
