//! Everything at once, at random, against the real program, and every event accounted for afterwards.
//!
//! Seeded: `KYMO_STRESS_SEED=n` repeats the decisions of a run, `KYMO_STRESS_SECONDS=n` makes the cut-over run longer,
//! `KYMO_STRESS_KILLS=n` kills more often.

mod arena;
mod cutover;
mod emitters;
mod judge;
mod kills;
mod readers;
mod writers;

use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    thread::{self, JoinHandle},
};

use self::{
    arena::{Arena, Dice},
    readers::{Stretch, read},
    writers::{write_over_http, write_over_websocket},
};
use crate::support::Server;

/// Writers and readers at work.
struct Crowd {
    writers: Vec<JoinHandle<()>>,
    readers: Vec<JoinHandle<Vec<Stretch>>>,
}

impl Crowd {
    /// Half of the readers read over WebSocket, the others over SSE.
    fn start(arena: &Arc<Arena>, dice: &mut Dice, http: u64, websocket: u64, readers: u64) -> Self {
        let writers = (0..http + websocket).map(|writer| {
            let (arena, dice) = (Arc::clone(arena), dice.split());
            thread::spawn(move || match writer < http {
                true => write_over_http(&arena, writer, dice),
                false => write_over_websocket(&arena, writer, dice),
            })
        });
        let writers = writers.collect();
        let readers = (0..readers).map(|reader| {
            let (arena, dice) = (Arc::clone(arena), dice.split());
            thread::spawn(move || read(&arena, reader % 2 == 0, dice))
        });
        Self {
            writers,
            readers: readers.collect(),
        }
    }

    /// Ends the writing, lets the readers read everything, and hands over what they got.
    fn finish(self, arena: &Arena, server: &Server) -> Vec<Stretch> {
        arena.writing.store(false, SeqCst);
        for writer in self.writers {
            writer.join().expect("a writer");
        }
        let newest = server.get("/api/v1/events?limit=1&order=newest");
        let head = newest["events"][0]["seq"]
            .as_u64()
            .expect("something was written");
        arena.final_head.store(head, SeqCst);
        let read = |reader: JoinHandle<Vec<Stretch>>| reader.join().expect("a reader");
        self.readers.into_iter().flat_map(read).collect()
    }
}
