//! What a reader asks for and what it is given.

use std::sync::Arc;

use bytes::Bytes;
use kymo_event::{Channel, Filter, LedgerId, LineView, Micros, Seq};
use kymo_ledger::{Gap, ReadError};

/// Where to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// after the newest
    Now,
    /// at the oldest
    Start,
    /// at this seq (inclusive); with the ledger it came from, if known
    Seq(Seq, Option<LedgerId>),
    /// this long ago, microseconds
    Ago(i64),
    /// at this moment
    Time(Micros),
}

/// What a reader wants.
#[derive(Clone, Debug)]
pub struct SubscribeRequest {
    /// The request's filter.
    pub filter: Filter,
    /// Channels (their union); empty = everything.
    pub channels: Vec<Channel>,
    /// Where to begin.
    pub from: From,
    /// How frames are built: feeds with equal effective filter and equal [`Encoder::name`] share frames.
    pub encoder: Arc<dyn Encoder>,
}

/// Builds the bytes of a frame; given by the door. Called once per feed and batch, the result is shared.
pub trait Encoder: Send + Sync + std::fmt::Debug {
    /// Equal names build equal bytes.
    fn name(&self) -> &str;
    /// Appends a frame with these lines (each without line feed), every match up to `cursor` now sent. `lines` may be
    /// empty (the cursor moves).
    fn frame(&self, feed: u32, cursor: Seq, lines: &mut dyn Iterator<Item = LineView<'_>>, out: &mut Vec<u8>);
    /// The same for encoders that pass lines on as they stand: spares the reading of every line. An encoder that does
    /// not need views appends the frame and returns true; the others append nothing and return false.
    fn raw_frame(
        &self,
        feed: u32,
        cursor: Seq,
        lines: &mut dyn Iterator<Item = &[u8]>,
        out: &mut Vec<u8>,
    ) -> bool {
        let _ = (feed, cursor, lines, out);
        false
    }
    /// The same for encoders that only put something around lines as they stand: what that is, for lines that have
    /// `bytes` together with one byte between every two. Such a frame can be made where the lines lie. Without it
    /// [`Encoder::raw_frame`] is asked.
    fn around(&self, feed: u32, cursor: Seq, bytes: usize) -> Option<Around> {
        let _ = (feed, cursor, bytes);
        None
    }
}

/// What a frame has beside its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Around {
    /// Before the first line.
    pub before: Vec<u8>,
    /// Between every two.
    pub between: u8,
    /// Behind the last.
    pub after: &'static [u8],
}

/// Why there is no subscription.
#[derive(Debug, thiserror::Error)]
pub enum SubscribeError {
    /// Missing scope.
    #[error("this token may not read; use one with the scope \"read\"")]
    NotAllowed,
    /// The disk said no.
    #[error("the ledger could not be read")]
    Read(#[from] ReadError),
    /// Shutting down.
    #[error("the hub is shutting down; come back to the next one")]
    Closing,
}

/// What a reader is given.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// A frame built by the encoder; every match up to `cursor` is now sent.
    Frame {
        /// The frame.
        bytes: Bytes,
        /// Every match up to here is sent.
        cursor: Seq,
        /// How many events are in it; none when only the cursor moves.
        events: usize,
    },
    /// Everything up to here is sent: live from now on.
    CaughtUp {
        /// `None` while nothing was ever stored (the wire says 0).
        cursor: Option<Seq>,
    },
    /// Too slow for the ring: reading the ledger again.
    FellBehind {
        /// `None` before the first event (the wire says 0).
        cursor: Option<Seq>,
        /// How many events are between cursor and head, matching or not.
        lag_events: u64,
    },
    /// Events that are gone.
    Gap(Gap),
    /// The hub is closing; resume at `cursor + 1` later.
    Closing {
        /// Every match up to here is sent.
        cursor: Option<Seq>,
    },
    /// Reading failed; asking again tries again after a while.
    Failed {
        /// Stable.
        code: &'static str,
        /// What happened and what to do.
        message: String,
    },
}
