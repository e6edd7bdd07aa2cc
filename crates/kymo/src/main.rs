//! Kymo: a live event ledger and control room for AI-agent systems, in one program.
//!
//! This crate puts the parts together and talks to people: it knows terminals, settings and exit codes, and leaves
//! storing, fanning out and serving to the crates below. Every command is one file in [`commands`], listed in [`cli`].

mod address;
mod cli;
mod client;
mod commands;
mod exit;
mod failure;
mod find;
mod history;
mod labels;
mod lines;
mod moment;
mod native;
mod outbox;
mod outlet;
mod printer;
mod progress;
mod receipt;
mod reload;
mod sending;
mod settings;
mod show;
mod signals;
mod sse;
mod station;
mod tap;
mod welcome;

/// Gives back what is no longer used, whichever thread used it. With the system's allocator each of the threads that
/// read the past kept what its largest reads had taken, and a server's memory crept up for hours (docs/performance.md).
#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    let cli = cli::parse(std::env::args_os());
    cli::start_logging(cli.verbose);
    match cli.run() {
        Ok(exit) => exit.into(),
        Err(failure) => {
            printer::complain(&failure);
            exit::Exit::from(&failure).into()
        }
    }
}
