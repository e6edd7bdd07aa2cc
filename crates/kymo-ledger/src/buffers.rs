//! Large buffers, of groups that are written and of lines that are read, used again when the last reader lets go of one:
//! fresh memory of that size costs a page fault for every ten events.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::Mutex;

// Smaller ones come from the allocator without a fault.
const BYTES_MIN: usize = 64 << 10;
const BUFFERS_MAX: usize = 8;
const BYTES_MAX: usize = 16 << 20;

/// Buffers that nobody uses at the moment. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buffers {
    free: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Buffers {
    /// An empty buffer with room for `bytes`, and not for much more: who keeps it pays for all of it.
    pub(crate) fn take(&self, bytes: usize) -> Buffer {
        let fits = |buffer: &Vec<u8>| (bytes..=bytes.saturating_mul(3) / 2).contains(&buffer.capacity());
        let mut free = self.free.lock();
        let bytes = match free.iter().position(fits) {
            Some(place) => free.swap_remove(place),
            None => Vec::with_capacity(bytes),
        };
        Buffer {
            bytes,
            home: Some(self.clone()),
        }
    }

    fn give_back(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut free = self.free.lock();
        free.push(buffer);
        // The oldest goes: its size is the least likely to be asked for again.
        while free.len() > BUFFERS_MAX || free.iter().map(Vec::capacity).sum::<usize>() > BYTES_MAX {
            free.remove(0);
        }
    }
}

/// Bytes in memory that goes back where it came from.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    home: Option<Buffers>,
}

impl Buffer {
    /// Hands the bytes out; the memory goes home when the last clone is dropped.
    pub(crate) fn share(mut self) -> Bytes {
        if self.bytes.capacity() < BYTES_MIN {
            return Bytes::from(std::mem::take(&mut self.bytes));
        }
        Bytes::from_owner(self)
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, home: None }
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(home) = self.home.take()
            && self.bytes.capacity() >= BYTES_MIN
        {
            home.give_back(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_buffer_comes_back_when_the_last_reader_lets_go() {
        let buffers = Buffers::default();
        let mut buffer = buffers.take(100_000);
        buffer.extend_from_slice(b"lines");
        let place = buffer.as_ptr();
        let lent = buffer.share();
        let slice = lent.slice(1..3);
        drop(lent);
        assert!(buffers.free.lock().is_empty(), "a reader still has it");
        assert_eq!(slice, &b"in"[..]);
        drop(slice);
        let again = buffers.take(90_000);
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
    }

    #[test]
    fn a_small_group_is_not_given_a_large_buffer() {
        let buffers = Buffers::default();
        drop(buffers.take(1_000_000));
        assert!(buffers.take(100_000).capacity() < 150_000);
    }
}
