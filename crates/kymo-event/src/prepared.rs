//! Events made ready for the writer: everything of the line but what the writer adds.
//!
//! A body is written once, by whichever thread took the event in; the one writer only copies it.
use std::borrow::Cow;

use crate::{BodyKeys, Content, Event, dialects, filter::Key, json};

/// Hash of (source, id); events without an id have none. Equal keys are confirmed by content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct IdKey(pub u64);

impl IdKey {
    /// The key of an id within its source.
    #[must_use]
    pub fn of(source: &str, id: &str) -> Self {
        use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};
        // Seeded rather than joined: ("a", "bc") and ("ab", "c") must differ, and nothing is copied.
        Self(xxh3_64_with_seed(id.as_bytes(), xxh3_64(source.as_bytes())))
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
    keys: Option<BodyKeys>,
    backfill: bool,
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
        let keys = write_body(&mut self.bytes, event);
        let end = u32::try_from(self.bytes.len()).expect("a batch is bounded far below 4 GiB");
        self.items.push(Item {
            end,
            id_key: id_key(event),
            keys,
            backfill: event.backfill,
        });
    }

    /// Takes the last event back (a repeat that needs no second place).
    pub fn pop(&mut self) {
        self.truncate(self.items.len().saturating_sub(1));
    }

    /// Keeps the first `count` events, and nothing of one whose writing was given up.
    pub fn truncate(&mut self, count: usize) {
        self.items.truncate(count);
        self.bytes
            .truncate(self.items.last().map_or(0, |item| item.end as usize));
    }

    /// Keeps the events whose index passes (repeats that were found late need no second place).
    pub fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        let (mut start, mut kept, mut kept_end) = (0, 0, 0_usize);
        for index in 0..self.items.len() {
            let item = self.items[index];
            let body = start..item.end as usize;
            start = body.end;
            if keep(index) {
                let end = kept_end + body.len();
                self.bytes.copy_within(body, kept_end);
                self.items[kept] = Item {
                    end: u32::try_from(end).expect("bodies only move forwards"),
                    ..item
                };
                (kept, kept_end) = (kept + 1, end);
            }
        }
        self.items.truncate(kept);
        self.bytes.truncate(kept_end);
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

    /// What event `index` says, as it is compared with others of its id.
    #[must_use]
    pub fn content(&self, index: usize) -> Content<'_> {
        Content::of(self.body(index), self.items[index].backfill)
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

    /// Of each body, where its keys stand; `None` where one of them lies too far behind.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = Option<BodyKeys>> {
        self.items.iter().map(|item| item.keys)
    }
}

fn id_key(event: &Event<'_>) -> Option<IdKey> {
    let id = event.id.as_deref()?;
    let dialect = event.dialect.as_deref().and_then(dialects::by_name);
    let identity = dialect.is_none_or(dialects::Dialect::id_is_identity);
    identity.then(|| IdKey::of(&event.source, id))
}

/// Appends the body of an event's line: every key it has, in the order of the format, each with a comma before it.
/// Says where those stand that are looked up, unless they lie too far behind.
pub(crate) fn write_body(out: &mut Vec<u8>, event: &Event<'_>) -> Option<BodyKeys> {
    out.reserve(256 + event.data.as_ref().map_or(0, |data| data.len()));
    let mut body = Body {
        start: out.len(),
        out,
        keys: BodyKeys::new(event.level, event.backfill),
        noted: 0,
    };
    body.string(Key::Id, b",\"id\":\"", event.id.as_ref());
    if let Some(time) = event.time {
        body.out.extend_from_slice(b",\"time\":\"");
        body.out.extend_from_slice(&time.text());
        body.out.push(b'"');
    }
    body.string(Key::Type, b",\"type\":\"", Some(&event.kind));
    body.string(Key::Source, b",\"source\":\"", Some(&event.source));
    body.out.extend_from_slice(b",\"level\":\"");
    body.out.extend_from_slice(event.level.as_str().as_bytes());
    body.out.push(b'"');
    body.string(Key::Agent, b",\"agent\":\"", event.agent.as_ref());
    body.string(Key::Session, b",\"session\":\"", event.session.as_ref());
    body.string(Key::Task, b",\"task\":\"", event.task.as_ref());
    body.string(Key::Trace, b",\"trace\":\"", event.trace.as_ref());
    body.string(Key::Span, b",\"span\":\"", event.span.as_ref());
    body.string(Key::Parent, b",\"parent\":\"", event.parent.as_ref());
    body.string(Key::User, b",\"user\":\"", event.user.as_ref());
    body.string(Key::Tier, b",\"tier\":\"", event.tier.as_ref());
    body.numbers(event);
    raw(body.out, b",\"data\":", event.data.as_deref());
    if !event.ext.is_empty() {
        ext(body.out, event);
    }
    body.string(Key::Dialect, b",\"dialect\":\"", event.dialect.as_ref());
    raw(body.out, b",\"enc\":", event.enc.as_deref());
    (body.noted <= BodyKeys::NEAR).then_some(body.keys)
}

/// A body that is being written.
struct Body<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    keys: BodyKeys,
    /// Where the last key ends that was noted.
    noted: usize,
}

impl Body<'_> {
    // Inlined, so that copying a key is a store or two instead of a call.
    #[inline(always)]
    fn string(&mut self, key: Key, name: &[u8], text: Option<&Cow<'_, str>>) {
        if let Some(text) = text {
            self.out.extend_from_slice(name);
            let from = self.out.len() - self.start;
            json::push_escaped(self.out, text);
            let to = self.out.len() - self.start;
            self.out.push(b'"');
            self.keys.note(key, from, to);
            self.noted = to;
        }
    }

    fn numbers(&mut self, event: &Event<'_>) {
        if let Some(cause) = event.cause {
            self.out.extend_from_slice(b",\"cause\":");
            json::push_number(self.out, cause.get());
        }
        if let Some(hops) = event.hops {
            self.out.extend_from_slice(b",\"hops\":");
            json::push_number(self.out, u64::from(hops));
        }
        if event.backfill {
            self.out.extend_from_slice(b",\"backfill\":true");
        }
    }
}

fn raw(out: &mut Vec<u8>, key: &[u8], text: Option<&str>) {
    if let Some(text) = text {
        out.extend_from_slice(key);
        out.extend_from_slice(json::one_line(text).as_bytes());
    }
}

fn ext(out: &mut Vec<u8>, event: &Event<'_>) {
    out.extend_from_slice(b",\"ext\":{");
    for (index, (name, value)) in event.ext.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        json::push_string(out, name);
        out.push(b':');
        out.extend_from_slice(json::one_line(value).as_bytes());
    }
    out.push(b'}');
}
