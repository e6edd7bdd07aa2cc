//! One publisher, many readers: how many deliveries a second, and how long one takes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinHandle;

use crate::{
    Outcome, events,
    server::Server,
    single::{Single, percentile},
    wire::{Http, WebSocket},
};

/// Events of a batch in the burst.
const BATCH: u64 = 1_000;

/// Opens a reader of everything that comes from now on.
async fn reader(server: &Server) -> Outcome<WebSocket> {
    let mut socket = WebSocket::connect(server).await?;
    socket
        .send(r#"{"op":"subscribe","sub":"a","filter":"source:bench","from":"now"}"#)
        .await?;
    socket.receive_op(r#"{"op":"caught_up""#).await?;
    Ok(socket)
}

/// Posts `events` in batches to `readers` readers; deliveries per second, none lost, all in order.
pub(crate) async fn burst(server: &Server, readers: usize, events: usize) -> Outcome<f64> {
    let events = (events as u64).div_ceil(BATCH) * BATCH;
    let mut tasks = Vec::new();
    for _ in 0..readers {
        let socket = reader(server).await?;
        tasks.push(tokio::spawn(count(socket, events)));
    }
    let mut publisher = Http::connect(server).await?;
    let bodies: Vec<_> = (0..events / BATCH)
        .map(|batch| events::batch(batch * BATCH, BATCH))
        .collect();
    let begun = Instant::now();
    for body in &bodies {
        publisher
            .post("/api/v1/events", "application/x-ndjson", body)
            .await?;
    }
    join(tasks).await?;
    Ok((events * readers as u64) as f64 / begun.elapsed().as_secs_f64())
}

async fn count(mut socket: WebSocket, expected: u64) -> Outcome {
    let mut tally = Tally::new(true);
    while tally.count < expected {
        socket.receive(|frame| tally.take(frame)).await??;
    }
    Ok(())
}

async fn join(tasks: Vec<JoinHandle<Outcome>>) -> Outcome {
    for task in tasks {
        task.await??;
    }
    Ok(())
}

/// Counts the events of frames and checks their order: seqs rise, by one where nothing is filtered out.
pub(crate) struct Tally {
    pub(crate) count: u64,
    last: Option<u64>,
    filtered: bool,
}

impl Tally {
    /// Nothing seen yet; with a filter seqs may leave gaps.
    pub(crate) fn new(filtered: bool) -> Self {
        Self {
            count: 0,
            last: None,
            filtered,
        }
    }

    /// Looks at one message; only `events` count.
    pub(crate) fn take(&mut self, frame: &[u8]) -> Outcome {
        if !frame.starts_with(br#"{"op":"events""#) {
            return Ok(());
        }
        for at in memchr::memmem::find_iter(frame, br#"{"seq":"#) {
            let digits = frame[at + 7..].iter().take_while(|byte| byte.is_ascii_digit());
            let seq = digits.fold(0_u64, |seq, digit| seq * 10 + u64::from(digit - b'0'));
            let in_order = self.last.is_none_or(|last| {
                if self.filtered {
                    seq > last
                } else {
                    seq == last + 1
                }
            });
            if !in_order {
                return Err(format!("seq {seq} after {:?}", self.last).into());
            }
            self.last = Some(seq);
            self.count += 1;
        }
        Ok(())
    }
}

/// Emits `rate` events a second for `seconds`, whether or not they are answered, to `readers` readers.
pub(crate) async fn open_loop(server: &Server, readers: usize, rate: u64, seconds: usize) -> Outcome<Single> {
    let total = rate * seconds as u64;
    let epoch = Instant::now();
    let sent: Arc<Vec<AtomicU64>> = Arc::new((0..total).map(|_| AtomicU64::new(0)).collect());
    let mut tasks = Vec::new();
    for _ in 0..readers {
        tasks.push(tokio::spawn(time_each(
            reader(server).await?,
            Arc::clone(&sent),
            epoch,
        )));
    }
    let mut publisher = WebSocket::connect(server).await?;
    let mut tick = tokio::time::interval(Duration::from_micros(1_000_000 / rate));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let begun = Instant::now();
    for number in 0..total {
        tick.tick().await;
        sent[usize::try_from(number)?].store(u64::try_from(epoch.elapsed().as_nanos())?, Ordering::Release);
        publisher
            .send(&format!(
                r#"{{"op":"emit","ref":"r","events":[{}]}}"#,
                events::event(number)
            ))
            .await?;
    }
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await??);
    }
    let per_second = total as f64 / begun.elapsed().as_secs_f64();
    Ok(Single {
        per_second,
        p50_micros: percentile(&mut waits, 50),
        p99_micros: percentile(&mut waits, 99),
    })
}

async fn time_each(
    mut socket: WebSocket,
    sent: Arc<Vec<AtomicU64>>,
    epoch: Instant,
) -> Outcome<Vec<Duration>> {
    let mut tally = Tally::new(true);
    let mut waits = Vec::with_capacity(sent.len());
    while waits.len() < sent.len() {
        socket.receive(|frame| tally.take(frame)).await??;
        let now = epoch.elapsed();
        while waits.len() < usize::try_from(tally.count)? {
            let called = Duration::from_nanos(sent[waits.len()].load(Ordering::Acquire));
            waits.push(now.saturating_sub(called));
        }
    }
    Ok(waits)
}
