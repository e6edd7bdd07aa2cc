//! Readers that come, go, switch filter and fall behind at random, over WebSocket and SSE, while writers write and the
//! server is killed: each gets exactly the matching events, in order, once, and every acknowledged event is there.
//!
//! Seeded: `KYMO_STRESS_SEED=n` repeats a run, `KYMO_STRESS_SECONDS=n` makes it longer.

mod arena;
mod readers;
mod writers;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use self::{
    arena::{Arena, Dice, FILTERS, Seen, history},
    readers::read,
    writers::write,
};
use crate::support::{Home, Server};

/// How often the server is killed and started again.
const KILLS: u32 = 3;
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
