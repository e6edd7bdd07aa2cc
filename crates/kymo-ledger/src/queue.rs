//! Batches on their way to the writer: bounded in bytes, taken all at once by whoever has the writer's seat.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use kymo_event::Batch;
use parking_lot::{Condvar, Mutex};

use crate::{AppendError, Appended};

/// What is called once when a batch is durable or has failed.
pub type Done = Box<dyn FnOnce(Result<Appended, AppendError>) + Send>;

/// A batch that waits.
pub(crate) struct Pending {
    pub(crate) batch: Batch,
    pub(crate) done: Done,
}

/// What the writer's thread waited for.
pub(crate) enum Waited {
    /// Something waits to be taken.
    Filled,
    /// Nothing came before the deadline.
    Late,
    /// The queue is closed and empty.
    Closed,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Pending>,
    bytes: usize,
    closed: bool,
    parked: bool,
}

impl State {
    /// Takes from the front until `taken` has about `bytes_max` of bodies; the first one whatever its size.
    fn take_into(&mut self, taken: &mut Vec<Pending>, bytes_max: usize) {
        let mut bytes: usize = taken.iter().map(|pending| pending.batch.bytes()).sum();
        while let Some(next) = self.waiting.front() {
            let more = next.batch.bytes();
            if !taken.is_empty() && bytes + more > bytes_max {
                break;
            }
            bytes += more;
            self.bytes -= more;
            taken.extend(self.waiting.pop_front());
        }
    }
}

/// The writer's queue.
pub(crate) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    bytes_max: usize,
}

impl Queue {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            state: Mutex::default(),
            filled: Condvar::new(),
            bytes_max,
        }
    }

    /// Puts a batch at the end and wakes the writer's thread, or gives it back with the reason.
    pub(crate) fn push(&self, pending: Pending) -> Result<(), (Pending, AppendError)> {
        self.push_quietly(pending)?;
        self.rouse();
        Ok(())
    }

    /// The same without waking anybody.
    pub(crate) fn push_quietly(&self, pending: Pending) -> Result<(), (Pending, AppendError)> {
        let mut state = self.state.lock();
        let bytes = pending.batch.bytes();
        if state.closed {
            return Err((pending, AppendError::Closed));
        }
        if state.bytes > 0 && state.bytes + bytes > self.bytes_max {
            return Err((pending, AppendError::Busy));
        }
        state.bytes += bytes;
        state.waiting.push_back(pending);
        Ok(())
    }

    /// Waits until something can be taken.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> Waited {
        let mut state = self.state.lock();
        while state.waiting.is_empty() {
            if state.closed {
                return Waited::Closed;
            }
            state.parked = true;
            match deadline {
                None => self.filled.wait(&mut state),
                Some(deadline) if self.filled.wait_until(&mut state, deadline).timed_out() => {
                    state.parked = false;
                    return Waited::Late;
                }
                Some(_) => {}
            }
        }
        Waited::Filled
    }

    /// Takes what waits, up to about `bytes_max`. Only for who has the writer's seat: so batches are written in the
    /// order they came.
    pub(crate) fn take(&self, bytes_max: usize) -> Vec<Pending> {
        let mut state = self.state.lock();
        let mut taken = Vec::with_capacity(state.waiting.len());
        state.take_into(&mut taken, bytes_max);
        taken
    }

    /// Wakes the writer's thread if something waits that it was not woken for.
    pub(crate) fn rouse(&self) {
        let mut state = self.state.lock();
        let wake = !state.waiting.is_empty() && std::mem::take(&mut state.parked);
        drop(state);
        if wake {
            self.filled.notify_one();
        }
    }

    /// Waits `time` for stragglers and adds them to what was taken.
    pub(crate) fn gather(&self, time: Duration, taken: &mut Vec<Pending>, bytes_max: usize) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            std::thread::yield_now();
        }
        self.state.lock().take_into(taken, bytes_max);
    }

    /// Whether the writer waits for something to do.
    #[cfg(any(test, feature = "test-support"))]
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.state.lock();
        state.parked && state.waiting.is_empty()
    }

    /// Nothing more is taken in; what waits is still handed out.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.parked = false;
        drop(state);
        self.filled.notify_all();
    }
}
