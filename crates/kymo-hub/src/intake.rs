//! Admission: takes the records of one request, judges each, and commits what passes as one batch.
//!
//! A record is parsed straight into the batch; nothing is allocated per event. What repeats something stored is found
//! at commit (`ids`), where it may have to wait for another batch or for the disk.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kymo_event::{
    Batch, Event, RawJson, Record, Refusal,
    dialects::{self, Dialect},
};

use crate::{Principal, Rejected, counters::tally::Tally, ids::repeats::Repeats, shared::Shared};

/// Refusals that are listed in a receipt; the rest are counted, because each is larger than its record may be.
const LISTED_MAX: usize = 1_000;

/// What comes through these doors lies on disk already: holding it back spares nobody, but one limited spool would block
/// the others and start again from its beginning after every restart, and of a file that is taken in most would be refused.
const BACKLOG_DOORS: [&str; 2] = ["spool", "import"];

pub(crate) mod combiner;
mod commit;
mod judge;

/// Collects the records of one request, then commits them as one batch.
pub struct Intake {
    hub: Arc<Shared>,
    principal: Arc<Principal>,
    door: &'static str,
    batch: Batch,
    /// Of each event in the batch, its index in the request.
    indexes: Vec<u32>,
    tally: Tally,
    with_id: usize,
    /// What is stored already, once it was looked up.
    found: Option<Repeats>,
    /// Bytes as they came in.
    received: usize,
    rejected: Vec<Rejected>,
    rejected_more: usize,
    /// All that were refused, by code.
    refused: BTreeMap<&'static str, u64>,
    /// Sources that were over their rate in this request.
    limited: BTreeSet<Box<str>>,
}

impl Intake {
    pub(crate) fn new(hub: Arc<Shared>, principal: Arc<Principal>, door: &'static str) -> Self {
        Self {
            hub,
            principal,
            door,
            batch: Batch::default(),
            indexes: Vec::new(),
            tally: Tally::default(),
            with_id: 0,
            found: None,
            received: 0,
            rejected: Vec::new(),
            rejected_more: 0,
            refused: BTreeMap::new(),
            limited: BTreeSet::new(),
        }
    }

    /// Makes room for a request of so many bytes. Worth calling before the first record.
    pub fn reserve(&mut self, bytes: usize) {
        if self.batch.is_empty() {
            // Bodies are a little shorter or longer than what they were made from.
            let bytes = bytes.min(self.hub.settings.limits.batch_bytes_max);
            self.batch = Batch::with_capacity(bytes + bytes / 16 + 256, bytes / 256 + 1);
        }
    }

    /// Takes a record as it was cut from the body, in the named dialect or the one it is detected to be in.
    pub fn take(&mut self, record: Record<'_>, dialect: Option<&'static dyn Dialect>) {
        match record.value {
            Ok(value) => self.read(record.index, Some(record.byte), value, dialect),
            Err(refusal) => self.refuse(record.index, refusal),
        }
    }

    /// Reads a JSON record in its detected dialect (or the named one) and admits it. Bytes in refusals count from the
    /// record; [`Intake::take`] counts from the body.
    pub fn record(&mut self, index: usize, record: RawJson<'_>, dialect: Option<&'static dyn Dialect>) {
        self.read(index, None, record, dialect);
    }

    /// Admits an event that a source or dialect made.
    pub fn event(&mut self, index: usize, event: Event<'_>) {
        if let Err(refusal) = self.admit(index, &event, None) {
            self.refuse(index, refusal);
        }
    }

    /// The same for who says itself what becomes of a refused event: the receipt knows nothing of it.
    ///
    /// # Errors
    ///
    /// Why it is refused.
    pub fn try_event(&mut self, index: usize, event: &Event<'_>) -> Result<(), Refusal> {
        self.admit(index, event, None)
    }

    /// Notes a record that was refused before it got here.
    pub fn refuse(&mut self, index: usize, refusal: Refusal) {
        *self.refused.entry(refusal.code).or_default() += 1;
        if self.rejected.len() < LISTED_MAX {
            self.rejected.push(Rejected::new(index, refusal));
        } else {
            self.rejected_more += 1;
        }
    }

    /// How many records so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.len() + self.rejected.len() + self.rejected_more
    }

    /// Whether there was none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn read(
        &mut self,
        index: usize,
        byte: Option<usize>,
        record: RawJson<'_>,
        dialect: Option<&'static dyn Dialect>,
    ) {
        let dialect = dialect.unwrap_or_else(|| dialects::detect(record));
        let limits = &self.hub.settings.limits;
        let received = record.as_str().len();
        // Matched rather than chained: an event is large, and moving it costs as much as reading half a dozen keys.
        let admitted = match judge::size(received, limits) {
            Ok(()) => match dialect.read(record, limits) {
                Ok(event) => self.admit(index, &event, Some(received)),
                Err(refusal) => Err(refusal),
            },
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = admitted {
            let refusal = match byte {
                Some(byte) => refusal.moved(byte).or_at(byte),
                None => refusal,
            };
            self.refuse(index, refusal);
        }
    }

    /// Judges an event and writes it into the batch. `received`: its size as it came in, where it came as text.
    fn admit(&mut self, index: usize, event: &Event<'_>, received: Option<usize>) -> Result<(), Refusal> {
        let hub = &*self.hub;
        let limits = &hub.settings.limits;
        judge::names(event, limits)?;
        judge::room(self.received, received.unwrap_or(0), limits)?;
        let bound = self.principal.bind(event)?;
        let event = bound.as_ref().unwrap_or(event);
        if let Some(limit) = hub.rates.limit()
            && !BACKLOG_DOORS.contains(&self.door)
            && !hub
                .rates
                .admit_in_order(&event.source, event.level, hub.clock.now(), &mut self.limited)
        {
            return Err(judge::rate_limited(&event.source, limit));
        }
        self.batch.push(event);
        let written = self.batch.body(self.batch.len() - 1).len();
        if received.is_none()
            && let Err(refusal) = judge::made(self.received, written, limits)
        {
            self.batch.pop();
            return Err(refusal);
        }
        self.received += received.unwrap_or(written);
        self.with_id += usize::from(event.id.is_some());
        self.indexes.push(u32::try_from(index).unwrap_or(u32::MAX));
        self.tally.add(&event.kind, &event.source, event.level);
        Ok(())
    }
}
