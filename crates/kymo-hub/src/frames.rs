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
    /// A frame of lines that were read from the ledger for this feed's filter: made where they lie, if the encoder
    /// only puts something around them.
    pub(crate) fn frame_of_matches(&self, lines: MatchedLines, to: Seq) -> Frame {
        let events = lines.len();
        if events == 0 {
            return nothing(to);
        }
        match self.encoder.around(self.number, to, lines.bytes().len() - 1) {
            Some(around) => Frame {
                bytes: Some(lines.into_text(&around.before, around.between, around.after)),
                to,
                events,
            },
            None => self.frame_of_lines(lines.iter(), to),
        }
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
        if !self.write_lines(to, (events, bytes), lines.clone(), &mut out) {
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
        let lines = views.iter().map(LineView::line);
        if !self.write_lines(to, (views.len(), bytes), lines, &mut out) {
            self.encoder
                .frame(self.number, to, &mut views.iter().cloned(), &mut out);
        }
        frame(out, to, views.len())
    }

    /// The frame that brings nothing and moves the cursor.
    pub(crate) fn frame_of_nothing(&self, to: Seq) -> Bytes {
        let mut out = Vec::new();
        if !self.write_lines(to, (0, 0), std::iter::empty(), &mut out) {
            self.encoder
                .frame(self.number, to, &mut std::iter::empty(), &mut out);
        }
        Bytes::from(out)
    }

    /// Writes the frame of so many lines of so many bytes as they stand; `false` if the encoder wants views.
    fn write_lines<'l>(
        &self,
        to: Seq,
        (events, bytes): (usize, usize),
        mut lines: impl Iterator<Item = &'l [u8]>,
        out: &mut Vec<u8>,
    ) -> bool {
        let commas = events.saturating_sub(1);
        let Some(around) = self.encoder.around(self.number, to, bytes + commas) else {
            return self.encoder.raw_frame(self.number, to, &mut lines, out);
        };
        out.extend_from_slice(&around.before);
        for (index, line) in lines.enumerate() {
            if index > 0 {
                out.push(around.between);
            }
            out.extend_from_slice(line);
        }
        out.extend_from_slice(around.after);
        true
    }
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
