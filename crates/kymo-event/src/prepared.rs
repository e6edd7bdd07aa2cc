//! Events made ready for the writer: everything of the line but what the writer adds.
use crate::Event;

/// Hash of (source, id); events without an id have none. Equal keys are confirmed by content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct IdKey(pub u64);

impl IdKey {
    /// The key of an id within its source.
    #[must_use]
    pub fn of(source: &str, id: &str) -> Self {
        todo!("{source}{id}")
    }
}

/// Line bodies (`,"id":…,"dialect":…`, from the comma after `recorded` up to `,"crc"`), end to end.
#[derive(Default, Debug)]
pub struct Batch {
    bytes: Vec<u8>,
    items: Vec<Item>,
}

#[derive(Debug, Clone, Copy)]
struct Item {
    end: u32,
    id_key: Option<IdKey>,
}

impl Batch {
    /// An empty batch with room for `bytes`.
    #[must_use]
    pub fn with_capacity(bytes: usize, events: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            items: Vec::with_capacity(events),
        }
    }

    /// Writes the event's body at the end. White space between tokens of `data` and `ext` that would break the
    /// line (CR, LF) is removed; every token stays as it is.
    pub fn push(&mut self, event: &Event<'_>) {
        todo!("{event:?}")
    }

    /// Takes the last event back (a repeat that needs no second place).
    pub fn pop(&mut self) {
        self.items.pop();
        self.bytes
            .truncate(self.items.last().map_or(0, |item| item.end as usize));
    }

    /// Number of events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Bytes of all bodies.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The body of event `index`.
    #[must_use]
    pub fn body(&self, index: usize) -> &[u8] {
        let start = if index == 0 {
            0
        } else {
            self.items[index - 1].end as usize
        };
        &self.bytes[start..self.items[index].end as usize]
    }

    /// The idempotency key of event `index`.
    #[must_use]
    pub fn id_key(&self, index: usize) -> Option<IdKey> {
        self.items[index].id_key
    }

    /// All bodies in order.
    pub fn bodies(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.body(index))
    }
}
