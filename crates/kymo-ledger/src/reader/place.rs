//! A reader's place in one segment: walks its lines, or picks those that its index says can match.
//!
//! The index is believed until a line is not where it says. From then on the segment is walked from its beginning:
//! the lines alone decide what is there.

use std::{io, path::PathBuf, sync::Arc};

use kymo_event::{Filter, LineView, filter::Possible};

use super::{
    Chunk,
    found::{Copied, Spans},
    gap, seq,
};
use crate::{
    GapReason,
    buffers::Buffers,
    disk::in_memory,
    index::{BlockEntry, Index, Selected, Selector, spans},
    notices::Notices,
    scan::ExpectedStart,
    segment::{Data, Segment},
    walk::{Step, Walker},
};

// What one call looks at, at most, when nothing matches.
const SCAN_BYTES_MAX: usize = 2 << 20;
const BLOCKS_MAX: usize = 64;
const READ_BYTES: std::ops::RangeInclusive<usize> = 16 << 10..=1 << 20;
// Lines this near to each other are read at once, up to so many bytes.
const RUN_GAP: u64 = 4 << 10;
const RUN_BYTES_MAX: u64 = 256 << 10;

/// A segment that is being read.
pub(crate) struct Place {
    segment: Arc<Segment>,
    data: Arc<Data>,
    index: Arc<Index>,
    /// The index was found to be wrong.
    distrusted: bool,
    /// Up to there the index has nothing to say: a part of it is damaged.
    walk_to: u64,
    walker: Option<Walker>,
    /// No good line has been met since the index said where to begin.
    unproven: bool,
    picked: Option<Box<Picked>>,
    buffers: Buffers,
}

/// Rows of a block that can match, and where they are.
struct Picked {
    block: BlockEntry,
    selected: Selected,
    spans: Vec<(u64, u64)>,
}

impl Place {
    pub(crate) fn new(segment: Arc<Segment>, buffers: Buffers) -> io::Result<Self> {
        Ok(Self {
            buffers,
            data: segment.data()?,
            index: segment.index()?,
            segment,
            distrusted: false,
            walk_to: 0,
            walker: None,
            unproven: false,
            picked: None,
        })
    }

    /// Whether `at` is in this segment.
    pub(crate) fn has(&self, at: u64) -> bool {
        at >= self.segment.first && (at <= self.segment.end().last || !self.segment.is_complete())
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.segment.path()
    }

    /// Reads on from `at`, which is in this segment and not behind `head`, and moves it.
    pub(crate) fn read(
        &mut self,
        at: &mut u64,
        head: u64,
        filter: &Filter,
        notices: &Notices,
        bytes_max: usize,
    ) -> io::Result<Chunk> {
        if !filter.is_all()
            && !self.distrusted
            && *at > self.walk_to
            && let Some(chunk) = self.pick(at, head, filter, bytes_max)?
        {
            return Ok(chunk);
        }
        self.walk(at, head, filter, notices, bytes_max)
    }

    // ---- by walking

    fn walk(
        &mut self,
        at: &mut u64,
        head: u64,
        filter: &Filter,
        notices: &Notices,
        bytes_max: usize,
    ) -> io::Result<Chunk> {
        let read_bytes = bytes_max.clamp(*READ_BYTES.start(), *READ_BYTES.end());
        let mut walker = self.walker_at(*at);
        walker.extend(&self.segment, head);
        let (mut found, mut looked) = (Spans::default(), 0);
        loop {
            match walker.step() {
                Step::Line { .. } if walker.seq() <= *at => self.unproven = false,
                Step::Line { start, end } => {
                    self.unproven = false;
                    looked += end - start;
                    if passes(filter, walker.bytes(start, end - 1)) {
                        found.take(start, end);
                    }
                    if found.bytes() >= bytes_max || looked >= SCAN_BYTES_MAX {
                        break;
                    }
                }
                Step::Edge if found.is_empty() => walker.advance(read_bytes)?,
                Step::Edge => break,
                Step::Bad if looked > 0 => break,
                Step::Bad if self.unproven => walker = self.distrust(head),
                Step::Bad => {
                    let hole = walker.hole()?;
                    notices.damaged(hole.damage(self.segment.file_name()));
                    if hole.last >= *at {
                        self.walker = Some(walker);
                        let asked = std::mem::replace(at, hole.last + 1);
                        return Ok(gap(asked, *at, GapReason::Damaged));
                    }
                }
                Step::Done if looked == 0 => return Ok(Chunk::End { next: seq(*at) }),
                Step::Done => break,
            }
        }
        *at = walker.seq();
        let lines = found.lines(walker.take_window());
        self.walker = Some(walker);
        Ok(Chunk::Events {
            lines,
            scanned_to: seq(*at - 1),
        })
    }

    fn walker_at(&mut self, at: u64) -> Walker {
        if let Some(walker) = self.walker.take().filter(|walker| walker.seq() == at) {
            return walker;
        }
        let (seq, offset) = self.locate(at);
        self.unproven = offset > 0;
        let end = self.segment.end();
        let walker = Walker::over(self.data.clone(), seq, offset, end.last, end.bytes);
        walker.with_buffers(self.buffers.clone())
    }

    /// A line at or before `at`, as near as the index knows one.
    fn locate(&self, at: u64) -> (u64, u64) {
        let beginning = (self.segment.first, 0);
        if self.distrusted {
            return beginning;
        }
        let Some(block) = self.index.block_before(at) else {
            return beginning;
        };
        if block.last() < at {
            return (block.last() + 1, block.end());
        }
        if block.first < at
            && let Some((head, _)) = self.index.head(&block)
            && let Some(columns) = self.index.columns(&block, &head)
        {
            let row = in_memory(at - block.first);
            return (at, spans(&columns, head.count as usize, block.offset)[row].0);
        }
        (block.first, block.offset)
    }

    fn distrust(&mut self, head: u64) -> Walker {
        self.distrusted = true;
        (self.unproven, self.picked) = (false, None);
        let end = self.segment.end();
        let last = end.last.min(head);
        let walker = Walker::over(self.data.clone(), self.segment.first, 0, last, end.bytes);
        walker.with_buffers(self.buffers.clone())
    }

    // ---- by the index

    /// `None` where the index does not reach, or is wrong.
    fn pick(
        &mut self,
        at: &mut u64,
        head: u64,
        filter: &Filter,
        bytes_max: usize,
    ) -> io::Result<Option<Chunk>> {
        let from = *at;
        let (mut found, mut looked) = (Copied::default(), 0);
        for _ in 0..BLOCKS_MAX {
            if found.bytes() >= bytes_max || looked >= SCAN_BYTES_MAX || *at > head {
                break;
            }
            let Some((_, block)) = self.index.block_of(*at) else {
                break;
            };
            match self.ask_index(block, filter) {
                Answer::Nothing => *at = block.last().min(head) + 1,
                Answer::Unknown => {
                    self.walk_to = block.last();
                    break;
                }
                Answer::Rows(picked) => {
                    let mut want = Wanted {
                        filter,
                        head,
                        bytes_max,
                        found: &mut found,
                        looked: &mut looked,
                    };
                    self.distrusted = !picked.read(&self.data, at, &mut want)?;
                    self.picked = Some(picked);
                    if self.distrusted {
                        break;
                    }
                }
            }
        }
        Ok((*at > from).then(|| Chunk::Events {
            lines: found.lines(),
            scanned_to: seq(*at - 1),
        }))
    }

    fn ask_index(&mut self, block: BlockEntry, filter: &Filter) -> Answer {
        if let Some(picked) = self.picked.take().filter(|picked| picked.block == block) {
            return Answer::Rows(picked);
        }
        let Some((head, summary)) = self.index.head(&block) else {
            return Answer::Unknown;
        };
        let names = self.index.names();
        let selector = Selector {
            filter,
            names: &names,
        };
        if selector.block(&head, &summary) == Possible::Never {
            return Answer::Nothing;
        }
        let Some(columns) = self.index.columns(&block, &head) else {
            return Answer::Unknown;
        };
        let selected = selector.rows(&head, &columns);
        if selected.maybe.is_empty() {
            return Answer::Nothing;
        }
        Answer::Rows(Box::new(Picked {
            block,
            selected,
            spans: spans(&columns, head.count as usize, block.offset),
        }))
    }
}

/// What the index says of a block.
enum Answer {
    /// No row can match.
    Nothing,
    /// These can.
    Rows(Box<Picked>),
    /// Its part of the index is damaged.
    Unknown,
}

/// What is asked of the rows of a block, and what came of it.
struct Wanted<'a> {
    filter: &'a Filter,
    head: u64,
    bytes_max: usize,
    found: &'a mut Copied,
    looked: &'a mut usize,
}

impl Picked {
    /// Reads the rows from `at` on and moves it; `false` if a line is not what the index says.
    fn read(&self, data: &Data, at: &mut u64, want: &mut Wanted<'_>) -> io::Result<bool> {
        let from = in_memory(*at - self.block.first);
        let rows: Vec<usize> = self.selected.maybe.iter().skip_while(|&row| row < from).collect();
        let mut rest = &rows[..];
        while let Some(run) = self.run(&mut rest) {
            let (start, end) = (self.spans[run[0]].0, self.spans[run[run.len() - 1]].1);
            let mut bytes = Vec::new();
            *want.looked += data.read(&mut bytes, start, in_memory(end - start))?;
            for &row in run {
                let seq = self.block.first + row as u64;
                if seq > want.head || want.found.bytes() >= want.bytes_max {
                    return Ok(true);
                }
                *at = seq;
                let (from, to) = self.spans[row];
                let line = bytes.get(in_memory(from - start)..in_memory(to - start));
                let Some(line) = line.filter(|line| is_line(line, seq)) else {
                    return Ok(false);
                };
                if self.selected.sure.has(row) || passes(want.filter, &line[..line.len() - 1]) {
                    want.found.take(line);
                }
                *at = seq + 1;
            }
        }
        *at = self.block.last().min(want.head) + 1;
        Ok(true)
    }

    /// The next rows that lie near enough to be read at once.
    fn run<'a>(&self, rest: &mut &'a [usize]) -> Option<&'a [usize]> {
        let first = *rest.first()?;
        let start = self.spans[first].0;
        let together = rest.windows(2).take_while(|pair| {
            let (end, (next, next_end)) = (self.spans[pair[0]].1, self.spans[pair[1]]);
            next - end <= RUN_GAP && next_end - start <= RUN_BYTES_MAX
        });
        let (run, after) = rest.split_at(together.count() + 1);
        *rest = after;
        Some(run)
    }
}

fn is_line(line: &[u8], seq: u64) -> bool {
    line.split_last()
        .is_some_and(|(&feed, line)| feed == b'\n' && ExpectedStart::of(seq).fits(line))
}

fn passes(filter: &Filter, line: &[u8]) -> bool {
    filter.is_all() || LineView::parse(line).is_ok_and(|view| filter.matches(&view))
}
