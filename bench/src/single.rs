//! One event per call, each awaiting its receipt: what a lone agent sees, times many agents.

use std::time::{Duration, Instant};

use crate::{
    Outcome, events,
    server::Server,
    wire::{Http, WebSocket},
};

/// Rate and the time from call to receipt.
pub(crate) struct Single {
    pub(crate) per_second: f64,
    pub(crate) p50_micros: f64,
    pub(crate) p99_micros: f64,
}

/// Each of `clients` sends `each` events over its own WebSocket, one at a time.
pub(crate) async fn over_websocket(server: &Server, clients: usize, each: usize) -> Outcome<Single> {
    let mut sockets = Vec::new();
    for _ in 0..clients {
        sockets.push(WebSocket::connect(server).await?);
    }
    let begun = Instant::now();
    let tasks = sockets.into_iter().enumerate().map(|(client, mut socket)| {
        tokio::spawn(async move {
            let mut waits = Vec::with_capacity(each);
            for number in 0..each {
                let event = events::event((client * each + number) as u64);
                let called = Instant::now();
                socket
                    .send(&format!(r#"{{"op":"emit","ref":"r","events":[{event}]}}"#))
                    .await?;
                socket.receive_op(r#"{"op":"ack""#).await?;
                waits.push(called.elapsed());
            }
            Outcome::Ok(waits)
        })
    });
    gather(tasks.collect(), begun).await
}

/// The same over kept-alive HTTP.
pub(crate) async fn over_http(server: &Server, clients: usize, each: usize) -> Outcome<Single> {
    let mut connections = Vec::new();
    for _ in 0..clients {
        connections.push(Http::connect(server).await?);
    }
    let begun = Instant::now();
    let tasks = connections.into_iter().enumerate().map(|(client, mut http)| {
        tokio::spawn(async move {
            let mut waits = Vec::with_capacity(each);
            for number in 0..each {
                let event = events::event((client * each + number) as u64);
                let called = Instant::now();
                http.post("/api/v1/events", "application/json", event.as_bytes())
                    .await?;
                waits.push(called.elapsed());
            }
            Outcome::Ok(waits)
        })
    });
    gather(tasks.collect(), begun).await
}

async fn gather(
    tasks: Vec<tokio::task::JoinHandle<Outcome<Vec<Duration>>>>,
    begun: Instant,
) -> Outcome<Single> {
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await??);
    }
    let per_second = waits.len() as f64 / begun.elapsed().as_secs_f64();
    Ok(Single {
        per_second,
        p50_micros: percentile(&mut waits, 50),
        p99_micros: percentile(&mut waits, 99),
    })
}

/// Microseconds below which `percent` of the waits lie.
pub(crate) fn percentile(waits: &mut [Duration], percent: usize) -> f64 {
    waits.sort_unstable();
    let index = (waits.len() * percent / 100).min(waits.len().saturating_sub(1));
    waits.get(index).map_or(f64::NAN, |wait| wait.as_secs_f64() * 1e6)
}
