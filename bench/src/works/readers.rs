//! Many readers on threads of their own, so that nobody who publishes waits for one who reads.

use std::thread::JoinHandle;

use crate::{
    Outcome,
    load::{Drive, Link},
};

/// Readers that count until each has seen what is due.
pub(crate) struct Readers {
    threads: Vec<JoinHandle<Outcome<Vec<Link>>>>,
}

impl Readers {
    /// Divides the links among `threads` threads; each link is to see `due` more events.
    pub(crate) fn start(links: Vec<Link>, threads: usize, due: u64) -> Outcome<Self> {
        let mut parts: Vec<Vec<Link>> = (0..threads).map(|_| Vec::new()).collect();
        for (index, link) in links.into_iter().enumerate() {
            parts[index % threads].push(link);
        }
        let threads = parts.into_iter().map(|part| {
            std::thread::spawn(move || {
                let mut drive = Drive::new(part)?;
                let least = drive.links.iter().map(|link| link.heard.tally.count).min();
                let due = least.unwrap_or(0) + due;
                drive.until(|link| link.heard.tally.count >= due)?;
                drive.release()
            })
        });
        Ok(Self {
            threads: threads.collect(),
        })
    }

    /// Waits for all; the links may be used again.
    pub(crate) fn join(self) -> Outcome<Vec<Link>> {
        let mut links = Vec::new();
        for thread in self.threads {
            links.extend(thread.join().map_err(|_| "a thread of readers panicked")??);
        }
        Ok(links)
    }
}
