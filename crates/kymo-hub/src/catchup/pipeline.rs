//! One reader's way through the ledger: what is ready, what is being read, what comes after.

use std::{collections::VecDeque, sync::Arc};

use kymo_event::Seq;
use tokio::sync::OwnedSemaphorePermit;

use super::{CatchUp, Item, LeftReader, ReadFailure, Slice, slices};
use crate::feeds::Feed;

/// Frames of a slice for readers that may read ahead; everybody else gets one, so that stalled readers hold little.
const FRAMES_AHEAD: usize = 8;

/// One reader's way through the ledger.
pub(crate) struct Pipeline {
    pool: Arc<CatchUp>,
    feed: Arc<Feed>,
    /// Ready, in order.
    items: VecDeque<Item>,
    pending: Option<(Seq, slices::Pending)>,
    reader: LeftReader,
    ahead: Option<OwnedSemaphorePermit>,
}

impl Pipeline {
    pub(crate) fn new(pool: Arc<CatchUp>, feed: Arc<Feed>) -> Self {
        Self {
            pool,
            feed,
            items: VecDeque::new(),
            pending: None,
            reader: Arc::default(),
            ahead: None,
        }
    }

    /// What is there already for a cursor at `from`.
    pub(crate) fn take(&mut self, from: Seq) -> Option<Result<Item, ReadFailure>> {
        if self.items.front().is_none_or(|item| item.from() != from) {
            self.items.clear();
            if let Err(failure) = self.arrived(from)? {
                return Some(Err(failure));
            }
        }
        self.items.pop_front().map(Ok)
    }

    /// Begins the read that [`Pipeline::take`] at `from` needs, unless it is under way.
    pub(crate) fn start(&mut self, from: Seq) {
        if self.pending.as_ref().is_some_and(|(at, _)| *at == from) {
            return;
        }
        let frames = if self.ahead.is_some() { FRAMES_AHEAD } else { 1 };
        let reader = std::mem::take(&mut self.reader);
        self.pending = Some((from, slices::read(&self.pool, &self.feed, from, frames, reader)));
    }

    /// Begins the read that follows `taken` and what is ready, if the ring does not have it and it is not too much for
    /// the pool.
    pub(crate) fn start_ahead(&mut self, taken: &Item, ring_first: Seq) {
        let next = self.items.back().unwrap_or(taken).next();
        if next >= ring_first {
            return;
        }
        if self.ahead.is_none() {
            self.ahead = Arc::clone(&self.pool.ahead).try_acquire_owned().ok();
        }
        if self.ahead.is_some() {
            self.start(next);
        }
    }

    /// Waits for what was started.
    pub(crate) async fn arrive(&mut self) {
        if let Some((_, pending)) = &mut self.pending {
            // The sender is gone without an answer only when the read panicked; `take` says so.
            let _ = pending.wait_for(Option::is_some).await;
        }
    }

    /// Lets go of everything: the reader is live.
    pub(crate) fn rest(&mut self) {
        self.items = VecDeque::new();
        self.pending = None;
        self.reader = Arc::default();
        self.ahead = None;
    }

    fn arrived(&mut self, from: Seq) -> Option<Result<(), ReadFailure>> {
        if self.feed.is_shared()
            && let Some((items, reader)) = self.pool.shelf.lock().find(self.feed.number, from)
        {
            self.items.extend(items);
            self.reader = reader;
            return Some(Ok(()));
        }
        let (at, pending) = self.pending.as_ref()?;
        if *at == from {
            // Asked in this order, because the answer is sent before the sender goes.
            let gone = pending.has_changed().is_err();
            let outcome = pending.borrow().clone();
            if outcome.is_none() && !gone {
                return None;
            }
            self.pending = None;
            return Some(self.accept(outcome.unwrap_or_else(|| Err("the read was broken off".into()))));
        }
        self.pending = None;
        None
    }

    fn accept(&mut self, outcome: Result<Slice, ReadFailure>) -> Result<(), ReadFailure> {
        let slice = outcome?;
        self.items.extend(slice.items.iter().cloned());
        self.reader = slice.reader;
        Ok(())
    }
}
