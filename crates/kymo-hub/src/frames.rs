//! Builds frames: picks the lines a feed wants and has its encoder write them.

use bytes::Bytes;
use kymo_event::{LineView, Seq};
use kymo_ledger::MatchedLines;

use crate::feeds::Feed;

/// What a feed gets of a run of events.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// The encoder's bytes; none when nothing matches.
    pub(crate) bytes: Option<Bytes>,
    /// Last seq that was looked at.
    pub(crate) to: Seq,
    /// Matches in it.
    pub(crate) events: usize,
}

/// Room for what an encoder puts around lines.
const HEADER_BYTES: usize = 160;
const BETWEEN_BYTES: usize = 8;

impl Feed {
    /// A frame of lines that were read from the ledger for this feed's filter.
    pub(crate) fn frame_of_matches(&self, chunks: &[MatchedLines], to: Seq) -> Frame {
        self.frame_of_lines(chunks.iter().flat_map(matched_lines), to)
    }

    /// A frame of lines that are known to match, the last event looked at being `to`.
    pub(crate) fn frame_of_lines<'l>(&self, lines: impl Iterator<Item = &'l [u8]> + Clone, to: Seq) -> Frame {
        let (events, bytes) = lines
            .clone()
            .fold((0, 0), |(events, bytes), line| (events + 1, bytes + line.len()));
        if events == 0 {
            return nothing(to);
        }
        let mut out = buffer(events, bytes);
        if !self
            .encoder
            .raw_frame(self.number, to, &mut lines.clone(), &mut out)
        {
            self.encoder
                .frame(self.number, to, &mut lines.filter_map(view), &mut out);
        }
        frame(out, to, events)
    }

    /// The same for lines that were looked into already.
    pub(crate) fn frame_of_views(&self, views: &[LineView<'_>], to: Seq) -> Frame {
        if views.is_empty() {
            return nothing(to);
        }
        let bytes = views.iter().map(|view| view.line().len()).sum();
        let mut out = buffer(views.len(), bytes);
        let mut lines = views.iter().map(LineView::line);
        if !self.encoder.raw_frame(self.number, to, &mut lines, &mut out) {
            self.encoder
                .frame(self.number, to, &mut views.iter().cloned(), &mut out);
        }
        frame(out, to, views.len())
    }
}

/// Each line without its line feed.
pub(crate) fn matched_lines(lines: &MatchedLines) -> impl Iterator<Item = &[u8]> + Clone {
    lines.ends.iter().enumerate().map(|(index, end)| {
        let start = index.checked_sub(1).map_or(0, |before| lines.ends[before]);
        &lines.bytes[start as usize..*end as usize - 1]
    })
}

/// Lines were written by us and their checksum was looked at: one that cannot be read is a bug, not a fault.
pub(crate) fn view(line: &[u8]) -> Option<LineView<'_>> {
    let view = LineView::parse(line);
    debug_assert!(view.is_ok(), "a ledger line cannot be read: {view:?}");
    view.ok()
}

fn buffer(events: usize, bytes: usize) -> Vec<u8> {
    Vec::with_capacity(HEADER_BYTES + bytes + events * BETWEEN_BYTES)
}

fn nothing(to: Seq) -> Frame {
    Frame {
        bytes: None,
        to,
        events: 0,
    }
}

fn frame(out: Vec<u8>, to: Seq, events: usize) -> Frame {
    Frame {
        bytes: Some(Bytes::from(out)),
        to,
        events,
    }
}
