//! Hostile and unlucky clients against the real program: each gets a clear outcome, the process lives, its memory stays
//! bounded, and an ordinary emitter and reader beside them notice nothing.
//!
//! With `KYMO_BIN` another build is tried, such as the release binary.

mod bodies;
mod bystander;
mod filters;
mod frames;

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

/// A binary megabyte.
const MIB: u64 = 1 << 20;
