//! The past that a client is given at once: the newest events of a few minutes, in their order, in one message.
use std::time::{Duration, Instant};

use bytes::Bytes;
use kymo_event::{LedgerId, LineView, Seq};
use kymo_hub::{From, HistoryRequest, Hub, Principal};

use super::{frames, wishes::Wishes};
use crate::{budget::Claim, doors::ConductorSettings, error::ApiError};

/// What a history is made of at most, in bytes, and what it may always have.
const BYTES_MAX: usize = 4 << 20;
const BYTES_ALWAYS: usize = 64 << 10;
/// How long is looked for it.
const WITHIN: Duration = Duration::from_secs(5);

/// The newest events before a place.
pub(super) struct History {
    /// Newest first.
    lines: Vec<Bytes>,
    bytes: usize,
    /// Whether all of them are there that should be.
    complete: bool,
}

impl History {
    /// Those before `end`.
    pub(super) async fn before(
        end: Seq,
        hub: &Hub,
        principal: &Principal,
        wishes: &Wishes,
        settings: &ConductorSettings,
    ) -> Result<Self, ApiError> {
        let mut history = Self {
            lines: Vec::new(),
            bytes: 0,
            complete: true,
        };
        let deadline = Instant::now() + WITHIN;
        let micros = i64::try_from(settings.history_s).unwrap_or(i64::MAX);
        let since = From::Ago(micros.saturating_mul(1_000_000));
        // Pinned, so that all pages mean the same moment.
        let since = hub.resolve(&since).await?;
        let mut to = end;
        while since < to && history.lines.len() < settings.history_max {
            if history.bytes >= BYTES_MAX || Instant::now() >= deadline {
                history.complete = false;
                break;
            }
            let request = HistoryRequest {
                filter: wishes.filter.clone(),
                channels: wishes.channels.clone(),
                from: Some(From::Seq(since, None)),
                to: Some(From::Seq(to, None)),
                limit: settings.history_max - history.lines.len(),
                bytes_max: BYTES_MAX - history.bytes,
                newest_first: true,
            };
            let page = hub.history(request, principal).await?;
            history.bytes += page.lines.iter().map(Bytes::len).sum::<usize>();
            history.lines.extend(page.lines);
            match page.next {
                Some(next) => to = next,
                None => break,
            }
        }
        Ok(history)
    }

    /// Cuts it to what there is room for among all that clients are given.
    pub(super) fn fit(&mut self, claim: &mut Claim) {
        if claim.set(self.bytes).is_ok() {
            return;
        }
        let (mut kept, mut left) = (0, BYTES_ALWAYS);
        while let Some(rest) = self.lines.get(kept).and_then(|line| left.checked_sub(line.len())) {
            (kept, left) = (kept + 1, rest);
        }
        self.complete &= kept == self.lines.len();
        self.lines.truncate(kept);
    }

    /// How many events there are.
    pub(super) fn events(&self) -> usize {
        self.lines.len()
    }

    /// Writes the message.
    pub(super) fn write(&self, ledger: &LedgerId, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"type\":\"history\",\"events\":[");
        let views = self
            .lines
            .iter()
            .rev()
            .filter_map(|line| LineView::parse(line).ok());
        for (index, view) in views.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            frames::write(&view, ledger, out);
        }
        out.extend_from_slice(match self.complete {
            true => b"]}".as_slice(),
            false => b"],\"complete\":false}",
        });
    }
}
