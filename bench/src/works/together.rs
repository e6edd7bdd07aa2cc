//! Everything at once: 200,000 events a second come in, a hundred readers follow, and one reads the past.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{batches::BATCH, kymo, replay};
use crate::{
    Outcome,
    args::Scale,
    contestants::{Contestant, kymo::Kymo},
    curves::load::{self, post},
    figures::{Figures, RATE, figure},
    load::{Call, Drive, Link},
    samples::{self, AGENTS},
};

const PER_SECOND: u64 = 200_000;
const READERS: usize = 100;
const THREADS: usize = 2;
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Every reader follows everything.
pub(super) fn everything(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    let kymo = kymo(contestant)?;
    run(
        kymo,
        scale,
        load::readers(kymo, READERS, |_| "source:bench".into())?,
        1,
    )
}

/// Every reader follows an agent of its own.
pub(super) fn one_each(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    let kymo = kymo(contestant)?;
    let filter = |number: usize| format!("agent:agent-{}", number as u64 % AGENTS);
    run(kymo, scale, load::readers(kymo, READERS, filter)?, AGENTS)
}

/// What is seen while everything goes on.
#[derive(Default)]
struct Board {
    /// Events acknowledged.
    stored: AtomicU64,
    /// Events that the slowest reader of each thread has seen.
    seen: [AtomicU64; THREADS],
    /// Publishing is over.
    over: AtomicBool,
}

/// `share`: one event in so many is for each reader.
fn run(kymo: &Kymo, scale: &Scale, links: Vec<Link>, share: u64) -> Outcome<Figures> {
    replay::store(kymo, scale.replay_events)?;
    let millis = u64::try_from((scale.closed_loop * 2).as_millis())?;
    let batches = PER_SECOND * millis / 1_000 / BATCH;
    let calls = load::requests(kymo, batches.min(100), samples::varied);
    let calls: Vec<Call> = calls
        .into_iter()
        .cycle()
        .take(usize::try_from(batches)?)
        .collect();
    let due = batches * BATCH / share;
    let board = Arc::new(Board::default());
    let begun = Instant::now();
    let watching: Vec<_> = divided(links)
        .into_iter()
        .enumerate()
        .map(|(thread, links)| {
            let board = Arc::clone(&board);
            std::thread::spawn(move || follow(links, due, &board.seen[thread]))
        })
        .collect();
    std::thread::scope(|threads| {
        let past = threads.spawn(|| past(kymo, scale.replay_events, &board));
        let lag = threads.spawn(|| lag(&board, share));
        let published = publish(kymo, &calls, &board);
        let stored_seconds = begun.elapsed().as_secs_f64();
        board.over.store(true, Ordering::Relaxed);
        for thread in watching {
            thread.join().map_err(|_| "a thread of readers panicked")??;
        }
        let all_seconds = begun.elapsed().as_secs_f64();
        published?;
        let replayed = past.join().map_err(|_| "the reader of the past panicked")??;
        let lag = lag.join().map_err(|_| "the thread that looks panicked")?;
        Ok(vec![
            figure(RATE, "events/s", (batches * BATCH) as f64 / stored_seconds),
            figure("delivered", "/s", (due * READERS as u64) as f64 / all_seconds),
            figure("furthest behind", "events", lag as f64),
            figure("all seen after", "s", all_seconds - stored_seconds),
            figure("replayed", "events/s", replayed),
        ])
    })
}

fn divided(links: Vec<Link>) -> Vec<Vec<Link>> {
    let mut parts: Vec<Vec<Link>> = (0..THREADS).map(|_| Vec::new()).collect();
    for (index, link) in links.into_iter().enumerate() {
        parts[index % THREADS].push(link);
    }
    parts
}

/// Posts each batch when it is due, or as soon as the one before it is acknowledged.
fn publish(kymo: &Kymo, calls: &[Call], board: &Board) -> Outcome {
    let mut publisher = Drive::new(vec![kymo.batch_writer(0)?])?;
    let begun = Instant::now();
    for (index, call) in calls.iter().enumerate() {
        let due = begun + Duration::from_micros(index as u64 * BATCH * 1_000_000 / PER_SECOND);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        post(&mut publisher, std::slice::from_ref(call))?;
        board.stored.fetch_add(BATCH, Ordering::Relaxed);
    }
    Ok(())
}

/// Counts until every link has what is due; each link checks its order.
fn follow(links: Vec<Link>, due: u64, seen: &AtomicU64) -> Outcome {
    let mut drive = Drive::new(links)?;
    let mut counts = vec![0; drive.links.len()];
    let mut least = 0;
    while least < due {
        drive.turn(|index, link| {
            counts[index] = link.heard.tally.count;
            Ok(())
        })?;
        least = counts.iter().copied().min().unwrap_or(due);
        seen.store(least, Ordering::Relaxed);
    }
    Ok(())
}

/// The most events that any reader was behind what was stored.
fn lag(board: &Board, share: u64) -> u64 {
    let mut most = 0;
    while !board.over.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK_EVERY);
        let seen = board.seen.iter().map(|seen| seen.load(Ordering::Relaxed)).min();
        let stored = board.stored.load(Ordering::Relaxed);
        most = most.max(stored.saturating_sub(seen.unwrap_or(0) * share));
    }
    most
}

/// Reads the past again and again; events a second.
fn past(kymo: &Kymo, events: u64, board: &Board) -> Outcome<f64> {
    let (mut rounds, mut seconds) = (0, 0.0);
    while rounds == 0 || !board.over.load(Ordering::Relaxed) {
        seconds += replay::first(kymo, events)?;
        rounds += 1;
    }
    Ok((events * rounds) as f64 / seconds)
}
