//! Memory for bodies in hand, all together: many large ones are told to wait instead of filling the machine. And turns at
//! the processor for the large ones, so that what is left of it is left for everybody else.
use std::{
    io,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use bytes::BufMut;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use crate::error::ApiError;

/// What bodies may take together. Clones share it.
#[derive(Clone)]
pub(crate) struct Budget(Arc<Shared>);

struct Shared {
    used: AtomicUsize,
    max: usize,
    // Buffers are used again: the first touch of fresh memory costs more than the parsing of what is put into it.
    spare: Mutex<Vec<Vec<u8>>>,
    turns: Arc<Semaphore>,
}

/// Bodies from this size on are large: they are inflated, checked and cut into records in turns.
pub(crate) const LARGE_BYTES: usize = 1 << 20;

/// Spare buffers kept, and how large one may be to be kept.
const SPARES_MAX: usize = 4;
const SPARE_BYTES_MAX: usize = 1 << 20;

impl Default for Budget {
    fn default() -> Self {
        Self::new(256 << 20)
    }
}

impl Budget {
    pub(crate) fn new(max: usize) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Shared {
            used: AtomicUsize::new(0),
            max,
            spare: Mutex::default(),
            turns: Semaphore::new((processors / 2).max(1)).into(),
        }))
    }

    /// Where so many bytes are large, waits until so few large bodies are worked on that half of the processors are for
    /// others; it is this one's turn until what is given is dropped. Nothing may be waited for meanwhile that a client
    /// decides.
    pub(crate) async fn turn_for(&self, bytes: usize) -> Option<Turn> {
        if bytes < LARGE_BYTES {
            return None;
        }
        let turns = Arc::clone(&self.0.turns);
        Some(turns.acquire_owned().await.expect("it is never closed"))
    }

    /// All there are.
    #[cfg(test)]
    pub(crate) async fn every_turn(&self) -> Turn {
        let turns = u32::try_from(self.0.turns.available_permits()).expect("a few");
        Arc::clone(&self.0.turns)
            .acquire_many_owned(turns)
            .await
            .expect("it is never closed")
    }

    /// What is held now.
    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        self.0.used.load(Relaxed)
    }

    /// A claim on this budget for memory that somebody else holds.
    pub(crate) fn claim(&self) -> Claim {
        Claim {
            counted: 0,
            budget: self.clone(),
        }
    }

    fn count(&self, more: usize) -> Result<(), ApiError> {
        let before = self.0.used.fetch_add(more, Relaxed);
        if before + more > self.0.max {
            return Err(
                ApiError::new("busy", "too many large bodies at once; try again in a moment").retry_after(1),
            );
        }
        Ok(())
    }

    /// An empty buffer that counts against this budget as it grows.
    pub(crate) fn hold(&self) -> Held {
        Held {
            bytes: self.0.spare.lock().pop().unwrap_or_default(),
            counted: 0,
            budget: self.clone(),
        }
    }
}

/// A large body's turn at the processor.
pub(crate) type Turn = OwnedSemaphorePermit;

/// Bytes that count against a [`Budget`] until dropped.
pub(crate) struct Held {
    bytes: Vec<u8>,
    counted: usize,
    budget: Budget,
}

impl Held {
    /// Makes room, without counting it yet.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve(bytes);
    }

    /// Appends, if the whole stays within `max` and the budget has room.
    pub(crate) fn extend(&mut self, bytes: &[u8], max: usize) -> Result<(), ApiError> {
        if bytes.len() > max - self.bytes.len().min(max) {
            return Err(too_large(max));
        }
        self.count(bytes.len())?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Appends what comes, up to `max` in all: how much came. To be counted afterwards.
    pub(crate) async fn fill_from(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        max: usize,
    ) -> io::Result<usize> {
        let more = max.saturating_sub(self.bytes.len());
        stream.read_buf(&mut (&mut self.bytes).limit(more)).await
    }

    /// Counts bytes that came.
    pub(crate) fn count(&mut self, more: usize) -> Result<(), ApiError> {
        self.counted += more;
        self.budget.count(more)
    }
}

/// Memory that counts against a [`Budget`] until dropped, held by somebody else.
pub(crate) struct Claim {
    counted: usize,
    budget: Budget,
}

impl Claim {
    /// It is this much now; an error if that is more than there is.
    pub(crate) fn set(&mut self, bytes: usize) -> Result<(), ApiError> {
        let before = std::mem::replace(&mut self.counted, bytes);
        match bytes.checked_sub(before) {
            Some(0) => Ok(()),
            Some(more) => self.budget.count(more),
            None => {
                self.budget.0.used.fetch_sub(before - bytes, Relaxed);
                Ok(())
            }
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.budget.0.used.fetch_sub(self.counted, Relaxed);
    }
}

impl Deref for Held {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let shared = &self.budget.0;
        shared.used.fetch_sub(self.counted, Relaxed);
        let mut bytes = std::mem::take(&mut self.bytes);
        if bytes.capacity() == 0 || bytes.capacity() > SPARE_BYTES_MAX {
            return;
        }
        bytes.clear();
        let mut spare = shared.spare.lock();
        if spare.len() < SPARES_MAX {
            spare.push(bytes);
        }
    }
}

/// The refusal of a body over the limit.
pub(crate) fn too_large(max: usize) -> ApiError {
    ApiError::new(
        "batch_too_large",
        format!("a batch may have {max} bytes after decompression; send it in parts, nothing was stored"),
    )
    .with_detail(serde_json::json!({ "bytes_max": max }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(budget: &Budget, bytes: &[u8], max: usize) -> Result<Held, &'static str> {
        let mut held = budget.hold();
        held.extend(bytes, max).map_err(|error| error.code)?;
        Ok(held)
    }

    #[test]
    fn memory_in_hand_is_bounded_and_given_back() {
        let budget = Budget::new(8);
        let first = held(&budget, b"abcdef", 10).expect("room");
        assert_eq!(held(&budget, b"abcdef", 10).err(), Some("busy"));
        drop(first);
        assert!(held(&budget, b"abcdef", 10).is_ok());
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_claim_counts_what_it_is_now_and_is_given_back() {
        let budget = Budget::new(8);
        let mut claim = budget.claim();
        assert_eq!(claim.set(6), Ok(()));
        assert_eq!(held(&budget, b"abc", 10).err(), Some("busy"));
        assert_eq!(claim.set(2), Ok(()));
        assert!(held(&budget, b"abc", 10).is_ok());
        assert_eq!(claim.set(9).map_err(|error| error.code), Err("busy"));
        drop(claim);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn one_body_ends_at_its_own_limit() {
        let budget = Budget::default();
        let mut held = held(&budget, b"abc", 5).expect("room");
        assert!(held.extend(b"de", 5).is_ok());
        assert_eq!(
            held.extend(b"f", 5).map_err(|error| error.code),
            Err("batch_too_large")
        );
        assert_eq!(&*held, b"abcde");
    }
}
