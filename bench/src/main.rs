//! Measures a running Kymo from outside: batch ingest, single events, fan-out, replay, each beside the machine's floor.
//!
//! The clients are thin on purpose (they count lines and check their order, they parse nothing), so that what is
//! measured is the server. `cargo xtask bench` builds everything and runs this.

mod events;
mod fanout;
mod floor;
mod ingest;
mod machine;
mod replay;
mod report;
mod server;
mod single;
mod wire;

use std::path::PathBuf;

use clap::Parser;

use crate::{report::Report, server::Server};

/// Anything can go wrong in a bench; what did is what is printed.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Measures the binary named by KYMO_BIN and prints one table.
#[derive(Parser, Debug)]
#[command(name = "cargo xtask bench")]
struct Args {
    /// A two-minute version: a fifth of the events, one pass.
    #[arg(long)]
    quick: bool,
    /// Passes; the table shows the median of them.
    #[arg(long, default_value_t = 3)]
    passes: usize,
    /// Readers of the fan-out.
    #[arg(long, default_value_t = 500)]
    readers: usize,
    /// Where results are written.
    #[arg(long, default_value = "bench/runs")]
    runs: PathBuf,
    /// The kymo binary.
    #[arg(long, env = "KYMO_BIN")]
    kymo: PathBuf,
}

#[tokio::main]
async fn main() -> Outcome {
    let args = Args::parse();
    let passes = if args.quick { 1 } else { args.passes.max(1) };
    let scale = if args.quick { 1 } else { 5 };
    let mut report = Report::default();
    for pass in 1..=passes {
        report::say(&format!("pass {pass} of {passes}"));
        one_pass(&args, scale, &mut report).await?;
    }
    let table = report.table();
    report::say(&format!("\n{}\n\n{table}", machine::describe()));
    let written = report.write(&args.runs, &table)?;
    report::say(&format!("written to {}", written.display()));
    Ok(())
}

async fn one_pass(args: &Args, scale: usize, report: &mut Report) -> Outcome {
    let floor = floor::append_and_sync(200_000 * scale)?;
    report.add("floor: append + fdatasync, 1,000 lines each", "events/s", floor);

    let server = Server::start(&args.kymo).await?;
    ingest::warm_up(&server).await?;
    let ingested = ingest::batches(&server, 200 * scale).await?;
    report.add(
        "batches of 1,000 over HTTP, durable",
        "events/s",
        ingested.per_second,
    );
    report.add(
        "  bytes in the ledger per 350-byte event",
        "bytes",
        ingested.ledger_bytes_per_event,
    );
    report.add("  server CPU per event", "µs", ingested.cpu_micros_per_event);

    let single = single::over_websocket(&server, 64, 400 * scale).await?;
    report.add(
        "one event per call, 64 WebSocket clients, durable",
        "events/s",
        single.per_second,
    );
    report.add("  p50", "µs", single.p50_micros);
    report.add("  p99", "µs", single.p99_micros);

    let single = single::over_http(&server, 64, 200 * scale).await?;
    report.add(
        "one event per call, 64 HTTP clients, durable",
        "events/s",
        single.per_second,
    );
    report.add("  p50 ", "µs", single.p50_micros);
    report.add("  p99 ", "µs", single.p99_micros);

    let fanned = fanout::burst(&server, args.readers, 4_000 * scale).await?;
    report.add(
        &format!("burst fan-out, 1 publisher to {} readers", args.readers),
        "deliveries/s",
        fanned,
    );

    let open_loop = fanout::open_loop(&server, 10, 2_000, 2 * scale).await?;
    report.add(
        "2,000 events/s to 10 readers, open loop",
        "events/s",
        open_loop.per_second,
    );
    report.add("  emit to reader, p50", "µs", open_loop.p50_micros);
    report.add("  emit to reader, p99", "µs", open_loop.p99_micros);

    let replayed = replay::all(&server, "").await?;
    report.add(
        "replay to one WebSocket reader",
        "events/s",
        replayed.scanned_per_second,
    );
    let filtered = replay::all(&server, "type:bench.rare").await?;
    report.add(
        "  filter on type, 1 % match",
        "matches/s",
        filtered.matched_per_second,
    );
    let searched = replay::all(&server, "data.shard:7").await?;
    report.add("  filter on data", "scanned/s", searched.scanned_per_second);

    report.add("memory of the server at its peak", "MB", server.peak_memory_mb());
    server.stop().await
}
