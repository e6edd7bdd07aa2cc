//! Events at a fixed rate, whether or not they are answered: how long one takes from emit to reader.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    Outcome,
    args::Scale,
    contestants::{Contestant, Door},
    events,
    figures::{Figures, RATE, figure, p50_p99},
    load::{Drive, Link},
};

/// Events a second.
const RATE_PER_SECOND: usize = 2_000;

/// Readers.
pub(crate) const READERS: usize = 10;

/// When each event was sent, in nanoseconds since the clock started.
type Sent = Arc<Vec<AtomicU64>>;

pub(super) fn run(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    let links: Outcome<Vec<_>> = (0..READERS).map(|_| contestant.reader()).collect();
    let publisher = contestant.writer(Door::Socket, 0)?;
    let call = |number| contestant.single(Door::Socket, 0, &events::event(number)).bytes;
    fixed_rate(links?, publisher, call, scale)
}

/// How long events take from the publisher to each reader, at the rate of the work, and whether that was kept.
pub(crate) fn fixed_rate(
    links: Vec<Link>,
    publisher: Link,
    call: impl Fn(u64) -> Arc<[u8]>,
    scale: &Scale,
) -> Outcome<Figures> {
    let events =
        |time: Duration| usize::try_from(time.as_millis()).map(|millis| RATE_PER_SECOND * millis / 1_000);
    let (uncounted, total) = (events(scale.warm_up)?, events(scale.warm_up + scale.open_loop)?);
    let calls: Vec<_> = (0..total as u64).map(call).collect();
    let (waits, seconds) = open_loop(links, publisher, &calls, RATE_PER_SECOND as u64, uncounted)?;
    let mut figures = p50_p99(waits).to_vec();
    figures.push(figure(RATE, "events/s", total as f64 / seconds));
    Ok(figures)
}

/// Sends the calls at a rate to readers that each get all of them; how long each took to each reader, without the
/// first, and how long they all took to be sent.
pub(crate) fn open_loop(
    links: Vec<Link>,
    publisher: Link,
    calls: &[Arc<[u8]>],
    per_second: u64,
    uncounted: usize,
) -> Outcome<(Vec<Duration>, f64)> {
    let sent: Sent = Arc::new(calls.iter().map(|_| AtomicU64::new(0)).collect());
    let clock = Instant::now();
    let reading = {
        let sent = Arc::clone(&sent);
        std::thread::spawn(move || read(links, &sent, clock, uncounted))
    };
    let seconds = publish(publisher, calls, &sent, clock, per_second)?;
    let waits = reading.join().map_err(|_| "the thread of readers panicked")??;
    Ok((waits, seconds))
}

/// Sends each call when it is due, whatever has been answered.
fn publish(link: Link, calls: &[Arc<[u8]>], sent: &Sent, clock: Instant, per_second: u64) -> Outcome<f64> {
    let mut drive = Drive::new(vec![link])?;
    let begun = Instant::now();
    for (index, (call, sent)) in calls.iter().zip(sent.iter()).enumerate() {
        let due = begun + Duration::from_micros(index as u64 * 1_000_000 / per_second);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        sent.store(nanos(clock), Ordering::Release);
        drive.links[0].send(call)?;
        // Answers that nobody reads would stop the server in the end.
        drive.glance()?;
    }
    // A connection that hangs up early takes back what the server has not read yet.
    drive.until(|link| link.heard.answers >= calls.len() as u64)?;
    Ok(begun.elapsed().as_secs_f64())
}

/// Waits for all events at all readers; how long each took, without the first.
fn read(links: Vec<Link>, sent: &Sent, clock: Instant, uncounted: usize) -> Outcome<Vec<Duration>> {
    let mut drive = Drive::new(links)?;
    let mut seen = vec![0_usize; drive.links.len()];
    let mut left = seen.len();
    let mut waits = Vec::with_capacity(seen.len() * sent.len());
    while left > 0 {
        drive.turn(|index, link| {
            let (now, count) = (nanos(clock), usize::try_from(link.heard.tally.count)?);
            for (event, sent) in sent.iter().enumerate().take(count).skip(seen[index]) {
                if event >= uncounted {
                    waits.push(Duration::from_nanos(now - sent.load(Ordering::Acquire)));
                }
            }
            if seen[index] < sent.len() && count >= sent.len() {
                left -= 1;
            }
            seen[index] = count;
            Ok(())
        })?;
    }
    Ok(waits)
}

fn nanos(clock: Instant) -> u64 {
    u64::try_from(clock.elapsed().as_nanos()).expect("a bench takes less than centuries")
}
