//! Attackers on threads of their own, from the moment all have begun until they are told to end.

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::{Outcome, contestants::kymo::Kymo};

/// What attackers do, and how many of them.
pub(super) struct Attack {
    pub(super) attackers: usize,
    /// Prepares the one of this number, which may take long.
    pub(super) prepare: fn(&Kymo, usize) -> Outcome<Attacker>,
}

/// Attacks once; called again and again.
pub(super) type Attacker = Box<dyn FnMut() -> Outcome + Send>;

/// An attack that goes on.
pub(super) struct Siege {
    stop: Arc<AtomicBool>,
    attacks: Arc<AtomicU64>,
    begun: Instant,
    threads: Vec<JoinHandle<Outcome>>,
}

impl Siege {
    /// Begins, and returns when all attackers have.
    pub(super) fn begin(kymo: &Kymo, attack: &Attack) -> Outcome<Self> {
        let attackers: Outcome<Vec<_>> = (0..attack.attackers)
            .map(|number| (attack.prepare)(kymo, number))
            .collect();
        let (stop, attacks) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let ready = Arc::new(Barrier::new(attack.attackers + 1));
        let threads = attackers?.into_iter().map(|mut attacker| {
            let (stop, attacks, ready) = (Arc::clone(&stop), Arc::clone(&attacks), Arc::clone(&ready));
            std::thread::spawn(move || {
                ready.wait();
                while !stop.load(Relaxed) {
                    attacker()?;
                    attacks.fetch_add(1, Relaxed);
                }
                Ok(())
            })
        });
        let threads = threads.collect();
        ready.wait();
        Ok(Self {
            stop,
            attacks,
            begun: Instant::now(),
            threads,
        })
    }

    /// Ends; how many attacks there were in a second.
    pub(super) fn end(self) -> Outcome<f64> {
        let seconds = self.begun.elapsed().as_secs_f64();
        let attacks = self.attacks.load(Relaxed);
        self.stop.store(true, Relaxed);
        for thread in self.threads {
            thread.join().map_err(|_| "an attacker panicked")??;
        }
        Ok(attacks as f64 / seconds)
    }
}

/// Lets something happen so many times a second, and no oftener.
pub(super) struct Pace {
    next: Instant,
    every: Duration,
}

impl Pace {
    pub(super) fn new(per_second: u32) -> Self {
        Self {
            next: Instant::now(),
            every: Duration::from_secs(1) / per_second,
        }
    }

    /// Waits until it is time. Who is late does not make up for it.
    pub(super) fn wait(&mut self) {
        let now = Instant::now();
        std::thread::sleep(self.next.saturating_duration_since(now));
        self.next = self.next.max(now) + self.every;
    }
}
