//! The way from a command to the server: records wait here, bounded in bytes, for a thread of their own.
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::{
    failure::Failure,
    outbox::{Delivered, Outbox},
};

/// Records of one hand-over.
const RECORDS_MAX: usize = 500;

/// Records on their way.
pub(super) struct Queue {
    sender: Mutex<Option<Sender<String>>>,
    shared: Arc<Shared>,
    worker: JoinHandle<()>,
    bytes_max: usize,
}

#[derive(Default)]
struct Shared {
    waiting: AtomicUsize,
    no_room: AtomicU64,
    lost: AtomicU64,
    refused: AtomicU64,
    why: Mutex<Option<String>>,
}

/// What did not get through, so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Missing {
    /// Records that found no room here.
    pub(super) no_room: u64,
    /// Records that neither the server nor the disk took.
    pub(super) lost: u64,
    /// Records that the server refused.
    pub(super) refused: u64,
    /// Why the last one of them was lost or refused.
    pub(super) why: Option<String>,
}

impl Queue {
    /// Starts the thread. `open` is tried again as long as it fails.
    pub(super) fn start(
        outbox: Result<Outbox, Failure>,
        open: impl FnMut() -> Result<Outbox, Failure> + Send + 'static,
        bytes_max: usize,
    ) -> Self {
        let (sender, receiver) = channel();
        let shared = Arc::new(Shared::default());
        let worker = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || hand_over(outbox, open, &receiver, &shared, bytes_max)
        });
        Self {
            sender: Mutex::new(Some(sender)),
            shared,
            worker,
            bytes_max,
        }
    }

    /// Takes a record if there is room, else counts it. Never waits.
    pub(super) fn offer(&self, record: String) {
        if self.shared.waiting.load(Ordering::Relaxed) + record.len() > self.bytes_max {
            self.shared.no_room.fetch_add(1, Ordering::Relaxed);
        } else {
            self.put(record);
        }
    }

    /// Takes a record in any case: for the few that all others hang on.
    pub(super) fn put(&self, record: String) {
        self.shared.waiting.fetch_add(record.len(), Ordering::Relaxed);
        if let Some(sender) = &*self.sender.lock().expect("nobody panics while holding it") {
            // The other end lives until the sender is taken away in `finish`.
            let _ = sender.send(record);
        }
    }

    /// Waits until nothing waits, up to a limit.
    pub(super) fn settle(&self, within: Duration) {
        let deadline = Instant::now() + within;
        while self.shared.waiting.load(Ordering::Relaxed) > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub(super) fn missing(&self) -> Missing {
        self.shared.missing()
    }

    /// Waits until the last record is handed over, on disk, or counted.
    pub(super) fn finish(self) -> Missing {
        self.sender.lock().expect("nobody panics while holding it").take();
        let _ = self.worker.join();
        self.shared.missing()
    }
}

impl Shared {
    fn missing(&self) -> Missing {
        Missing {
            no_room: self.no_room.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            why: self.why.lock().expect("nobody panics while holding it").clone(),
        }
    }

    fn because(&self, why: String) {
        *self.why.lock().expect("nobody panics while holding it") = Some(why);
    }

    fn answered(&self, answers: Vec<Delivered>) {
        for answer in answers {
            if let Delivered::Stored(receipt) = answer
                && let Some(last) = receipt.rejected.last()
            {
                self.refused
                    .fetch_add(receipt.rejected.len() as u64, Ordering::Relaxed);
                self.because(format!("{} [{}]", last.message, last.code));
            }
        }
    }
}

/// Everything that waits goes together. After a failure the next records are tried again: there may be room by then.
fn hand_over(
    mut outbox: Result<Outbox, Failure>,
    mut open: impl FnMut() -> Result<Outbox, Failure>,
    queue: &Receiver<String>,
    shared: &Arc<Shared>,
    bytes_max: usize,
) {
    // Order is worth less than a record that finds no room.
    let hold_back = |outbox: &mut Outbox| {
        let shared = Arc::clone(shared);
        outbox.hold_back_while(move || shared.waiting.load(Ordering::Relaxed) < bytes_max / 2);
    };
    if let Ok(outbox) = &mut outbox {
        hold_back(outbox);
    }
    while let Ok(first) = queue.recv() {
        let records: Vec<String> = std::iter::once(first)
            .chain(queue.try_iter().take(RECORDS_MAX - 1))
            .collect();
        if outbox.is_err() {
            outbox = open();
            if let Ok(outbox) = &mut outbox {
                hold_back(outbox);
            }
        }
        let delivered = match &mut outbox {
            Ok(outbox) => outbox.deliver(&records).map_err(|failure| failure.to_string()),
            Err(failure) => Err(failure.to_string()),
        };
        match delivered {
            Ok(answers) => shared.answered(answers),
            Err(why) => {
                shared.lost.fetch_add(records.len() as u64, Ordering::Relaxed);
                shared.because(why);
            }
        }
        shared
            .waiting
            .fetch_sub(records.iter().map(String::len).sum(), Ordering::Relaxed);
    }
}
