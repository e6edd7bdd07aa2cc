//! Pages of the past, in either direction, read in slices that give way to others.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use kymo_event::{Channel, Filter, LineView, Seq};
use kymo_ledger::{Chunk, Gap, Ledger, MatchedLines, ReadError, Reader};

use crate::{From, SubscribeError, shared::Shared};

/// A page of the past.
#[derive(Clone, Debug)]
pub struct HistoryRequest {
    /// The request's filter.
    pub filter: Filter,
    /// Channels; empty = everything.
    pub channels: Vec<Channel>,
    /// Inclusive; `None` = the beginning.
    pub from: Option<From>,
    /// Exclusive; `None` = the head.
    pub to: Option<From>,
    /// Events at most.
    pub limit: usize,
    /// Bytes at most (about; one event may exceed it); the page ends there too.
    pub bytes_max: usize,
    /// Newest first.
    pub newest_first: bool,
}

/// The answer. It may end early, also without any event, when a filter has to look at much: then `next` says where to
/// go on.
#[derive(Clone, Debug, Default)]
pub struct HistoryPage {
    /// Lines, each without line feed, in the asked order.
    pub lines: Vec<Bytes>,
    /// Where the next page begins (oldest first: `from`; newest first: `to` exclusive); `None` when done.
    pub next: Option<Seq>,
    /// Everything up (or down) to here was looked at; `None` when nothing was.
    pub cursor: Option<Seq>,
    /// Holes met on the way.
    pub gaps: Vec<Gap>,
}

/// A read gives its place in the pool to others after this long, and a page ends after that long.
const SLICE_TIME_MAX: Duration = Duration::from_millis(20);
const PAGE_TIME_MAX: Duration = Duration::from_secs(2);
/// What is asked of the ledger at once.
const READ_BYTES: usize = 256 << 10;
/// What an event usually needs at most, to ask for about what a small page needs.
const EVENT_BYTES: usize = 1 << 10;

pub(crate) async fn page(
    hub: &Arc<Shared>,
    request: HistoryRequest,
    filter: Filter,
) -> Result<HistoryPage, SubscribeError> {
    let mut paging = Paging::new(hub, &request, filter).await?;
    let deadline = Instant::now() + PAGE_TIME_MAX;
    while !paging.finished {
        if Instant::now() >= deadline {
            paging.stop();
            break;
        }
        let slice = move |ledger: &Ledger| paging.slice(ledger).map(|()| paging);
        paging = hub.catchup.read(slice).await?;
    }
    Ok(paging.page)
}

/// A page in the making.
struct Paging {
    filter: Filter,
    /// First seq of the range, and the seq after its last.
    low: Seq,
    high: Seq,
    newest_first: bool,
    events_left: usize,
    bytes_left: usize,
    reader: Option<Reader>,
    /// Oldest first: everything before was looked at. Newest first: everything from here on was.
    edge: Seq,
    page: HistoryPage,
    finished: bool,
}

impl Paging {
    async fn new(hub: &Shared, request: &HistoryRequest, filter: Filter) -> Result<Self, ReadError> {
        let (low, opening) = match &request.from {
            Some(from) => hub.begin(from).await?,
            None => (hub.ledger.first(), None),
        };
        let end = hub.end();
        let high = match &request.to {
            Some(to) => hub.resolve(to).await?.min(end),
            None => end,
        };
        Ok(Self {
            filter,
            low,
            high,
            newest_first: request.newest_first,
            events_left: request.limit,
            bytes_left: request.bytes_max,
            reader: None,
            edge: if request.newest_first { high } else { low },
            page: HistoryPage {
                gaps: opening.into_iter().collect(),
                ..HistoryPage::default()
            },
            finished: low >= high,
        })
    }

    /// Reads for a while. Blocking.
    fn slice(&mut self, ledger: &Ledger) -> Result<(), ReadError> {
        let deadline = Instant::now() + SLICE_TIME_MAX;
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => self.open(ledger),
        };
        while !self.finished && Instant::now() < deadline {
            if self.events_left == 0 {
                self.stop();
                break;
            }
            let wanted = self.events_left.saturating_mul(EVENT_BYTES);
            let bytes_max = READ_BYTES.min(wanted).min(self.bytes_left).max(1);
            match reader.next_chunk(bytes_max)? {
                Chunk::Events { lines, scanned_to } => self.add(lines, scanned_to),
                Chunk::Gap(gap) => {
                    self.page.gaps.push(gap);
                    self.reach(reader.position());
                }
                Chunk::End { .. } => self.finish(),
            }
        }
        self.reader = Some(reader);
        Ok(())
    }

    fn open(&self, ledger: &Ledger) -> Reader {
        match self.edge.prev() {
            Some(newest) if self.newest_first => ledger.read_back(newest, &self.filter),
            _ => ledger.read(self.edge, &self.filter),
        }
    }

    fn add(&mut self, lines: MatchedLines, scanned_to: Seq) {
        let (bytes, ends) = lines.into_bytes();
        let mut start = 0;
        for end in ends {
            let line = bytes.slice(start..end as usize - 1);
            start = end as usize;
            let Ok(seq) = LineView::parse(&line).map(|view| view.seq()) else {
                continue;
            };
            if !(self.low..self.high).contains(&seq) {
                return self.finish();
            }
            if self.events_left == 0 || (line.len() > self.bytes_left && !self.page.lines.is_empty()) {
                self.edge = if self.newest_first { seq.next() } else { seq };
                return self.stop();
            }
            self.events_left -= 1;
            self.bytes_left = self.bytes_left.saturating_sub(line.len());
            self.page.lines.push(line);
        }
        self.reach(if self.newest_first {
            scanned_to
        } else {
            scanned_to.next()
        });
    }

    /// Everything up (or down) to the edge was looked at.
    fn reach(&mut self, edge: Seq) {
        self.edge = edge;
        if if self.newest_first {
            edge <= self.low
        } else {
            edge >= self.high
        } {
            self.finish();
        }
    }

    /// The range is done.
    fn finish(&mut self) {
        self.edge = if self.newest_first { self.low } else { self.high };
        self.finished = true;
        self.set_cursor();
    }

    /// The page is full, the range is not done.
    fn stop(&mut self) {
        self.finished = true;
        self.page.next = Some(self.edge);
        self.set_cursor();
    }

    fn set_cursor(&mut self) {
        self.page.cursor = if self.newest_first {
            (self.edge < self.high).then_some(self.edge)
        } else {
            self.edge.prev().filter(|cursor| *cursor >= self.low)
        };
    }
}
