//! Hostile and unlucky clients against the real program: each gets a clear outcome, the process lives, its memory stays
//! bounded, and an ordinary emitter and reader beside them notice nothing.
//!
//! With `KYMO_BIN` another build is tried, such as the release binary; then memory per connection is checked, too.

mod bodies;
mod bystander;
mod deaf;
mod descriptors;
#[cfg(target_os = "linux")] // the only one that changes the limits of a running process
mod exhausted;
mod filters;
mod frames;
mod idle;
mod requests;
mod rush;
mod slow;

use self::bystander::Bystander;
use crate::support::{Home, Server};

/// A server, its bystander, and what it may take of memory.
struct Scene {
    // Ends before the folder goes.
    bystander: Bystander,
    server: Server,
    _home: Home,
}

impl Scene {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(settings: &[&str]) -> Self {
        let home = Home::new();
        let server = home.serve_set(settings);
        Self::of(home, server)
    }

    /// With a server that the system gives so many descriptors and no more.
    fn with_descriptors(descriptors: usize, settings: &[&str]) -> Self {
        let home = Home::new();
        let mut serve = home.serve_command();
        serve.args(settings.iter().flat_map(|setting| ["--set", setting]));
        let mut limited = home.program(
            "sh",
            &["-c", &format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"")],
        );
        limited.arg(serve.get_program()).args(serve.get_args());
        let server = Server::start(limited, &home.data());
        Self::of(home, server)
    }

    fn of(home: Home, server: Server) -> Self {
        Self {
            bystander: Bystander::start(&server),
            server,
            _home: home,
        }
    }

    /// Ends it: everything is still there, and the memory it took at most is in bounds.
    fn end(self, peak_max: u64) {
        self.bystander.end();
        if let Some(memory) = self.server.memory() {
            println!("memory: {} MiB at most", memory.peak >> 20);
            assert!(memory.peak <= peak_max, "{} bytes of memory", memory.peak);
        }
        self.server.stop();
    }
}

/// Binary kilobytes and megabytes.
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Whether the program tried is one that was built to be fast.
fn is_release() -> bool {
    std::env::var_os("KYMO_BIN").is_some()
}
