//! Batches over HTTP: how many events a second reach the disk.

use std::time::Instant;

use crate::{Outcome, events, server::Server, wire::Http};

/// Events of a batch.
const BATCH: u64 = 1_000;

/// Connections that post side by side.
const CONNECTIONS: u64 = 2;

/// What batch ingest reached.
pub(crate) struct Ingested {
    pub(crate) per_second: f64,
    pub(crate) ledger_bytes_per_event: f64,
    pub(crate) cpu_micros_per_event: f64,
}

/// Touches memory and files once, so that the first measurement is not of that.
pub(crate) async fn warm_up(server: &Server) -> Outcome {
    let mut http = Http::connect(server).await?;
    let body = events::batch(0, BATCH);
    for _ in 0..50 {
        http.post("/api/v1/events", "application/x-ndjson", &body).await?;
    }
    Ok(())
}

/// Posts `batches` batches over a few connections.
pub(crate) async fn batches(server: &Server, batches: usize) -> Outcome<Ingested> {
    let per_connection = (batches as u64).div_ceil(CONNECTIONS);
    let bytes_before = server.ledger_bytes();
    let cpu_before = server.cpu_seconds();
    let mut work = Vec::new();
    for connection in 0..CONNECTIONS {
        let http = Http::connect(server).await?;
        let bodies: Vec<_> = (0..8)
            .map(|body| events::batch((connection * 8 + body) * BATCH, BATCH))
            .collect();
        work.push((http, bodies));
    }
    let begun = Instant::now();
    let tasks: Vec<_> = work
        .into_iter()
        .map(|(http, bodies)| tokio::spawn(post_all(http, bodies, per_connection)))
        .collect();
    for task in tasks {
        task.await??;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let events = (per_connection * CONNECTIONS * BATCH) as f64;
    let stored = (server.ledger_bytes() - bytes_before) as f64 / events;
    Ok(Ingested {
        per_second: events / seconds,
        ledger_bytes_per_event: stored,
        cpu_micros_per_event: (server.cpu_seconds() - cpu_before) * 1e6 / events,
    })
}

async fn post_all(mut http: Http, bodies: Vec<Vec<u8>>, rounds: u64) -> Outcome {
    let accepted = format!("\"accepted\":{BATCH}");
    for round in 0..rounds {
        let body = &bodies[usize::try_from(round)? % bodies.len()];
        let answer = http.post("/api/v1/events", "application/x-ndjson", body).await?;
        if memchr::memmem::find(&answer, accepted.as_bytes()).is_none() {
            return Err(String::from_utf8_lossy(&answer).into_owned().into());
        }
    }
    Ok(())
}
