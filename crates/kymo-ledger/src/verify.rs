//! Checks every line, every index and the chain against each other, and names what does not fit.

use std::{io, sync::Arc};

use kymo_event::Seq;

use crate::{
    ChainHead, Damage, ReadError,
    build::{self, Watch},
    chain::Chain,
    index::{BlockHead, Comparison, IndexBuilder, Names},
    segment::{Data, Segment},
    segments::Segments,
    walk::Hole,
};

/// What `verify` found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct VerifyReport {
    /// Events read and good.
    pub events: u64,
    /// Bytes read.
    pub bytes: u64,
    /// First seq.
    pub first: Option<Seq>,
    /// Head seq.
    pub head: Option<Seq>,
    /// Chain at the head, hex.
    pub chain: String,
    /// Everything that is not as it was written.
    pub damage: Vec<Damage>,
    /// `Some(false)`: the ledger differs from the head kept elsewhere. `None`: none was given, or it is of events that
    /// retention has removed.
    pub matches: Option<bool>,
}

pub(crate) fn verify(
    segments: &Segments,
    against: Option<&ChainHead>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<VerifyReport, ReadError> {
    let all = segments.all();
    let kept = segments.kept();
    let mut verifier = Verifier {
        against,
        passed: against
            .filter(|head| head.seq.get() + 1 == kept.from)
            .map(|_| kept.chain),
        total: total(&all)?,
        progress,
        events: 0,
        bytes: 0,
        damage: Vec::new(),
        stored_chain: None,
    };
    let (mut chain, mut next) = (kept.chain, kept.from);
    // Indexes are made in order: before one that has been begun, all are finished.
    let indexed = all.iter().rposition(|segment| segment.has_index());
    for (place, segment) in all.iter().enumerate() {
        verifier.missing(next, segment);
        next = segment.end().last + 1;
        chain = verifier
            .segment(segment, chain, indexed.is_some_and(|last| place < last))
            .map_err(ReadError::io(segment.path()))?;
    }
    let gone = |head: &&ChainHead| head.seq.get() + 1 < kept.from;
    Ok(VerifyReport {
        matches: against
            .filter(|head| !gone(head))
            .map(|head| verifier.passed == Some(Chain(head.chain))),
        events: verifier.events,
        bytes: verifier.bytes,
        first: all.first().and_then(|segment| Seq::new(segment.first)),
        head: Seq::new(segments.head()).filter(|_| !all.is_empty()),
        chain: chain.hex(),
        damage: verifier.damage,
    })
}

fn total(all: &[Arc<Segment>]) -> Result<u64, ReadError> {
    all.iter()
        .map(|segment| match segment.is_compressed() {
            true => segment
                .data()
                .and_then(|data| data.len())
                .map_err(ReadError::io(segment.path())),
            false => Ok(segment.end().bytes),
        })
        .sum()
}

/// Whether the index ought to reach to the segment's end. Where only the index knows of that end, it is what it was when
/// the ledger went down.
fn ends_with_index(segment: &Segment) -> bool {
    let end = segment.end().last;
    let stored = || {
        segment
            .stored_summary()
            .is_some_and(|summary| summary.last == end)
    };
    segment.is_complete() && (!segment.is_witnessed() || stored())
}

struct Verifier<'a> {
    against: Option<&'a ChainHead>,
    /// The chain at the seq of `against`, once passed.
    passed: Option<Chain>,
    total: u64,
    progress: &'a mut dyn FnMut(u64, u64),
    events: u64,
    bytes: u64,
    damage: Vec<Damage>,
    /// Where the index of the segment before ends, as stored.
    stored_chain: Option<Chain>,
}

impl Verifier<'_> {
    /// Names what lies between the seq that must follow and the first one of a segment.
    fn missing(&mut self, next: u64, segment: &Segment) {
        if next < segment.first {
            let hole = Hole {
                first: next,
                last: segment.first - 1,
                byte: 0,
                bytes: 0,
            };
            self.damage.push(hole.damage(segment.file_name()));
        }
    }

    /// Walks the lines, then holds the stored index against them, which ought to be `finished` or not. Returns the
    /// chain behind the segment.
    fn segment(&mut self, segment: &Segment, chain: Chain, finished: bool) -> io::Result<Chain> {
        let mut builder = IndexBuilder::new(segment.first, 0, chain, Names::default());
        let mut lines = Lines {
            verifier: self,
            file: segment.file_name(),
            records: Vec::new(),
            holes: Vec::new(),
        };
        let end = build::walk(segment, &mut builder, &mut lines)?;
        let (mut records, holes) = (lines.records, lines.holes);
        self.leftover(segment, &builder, end)?;
        self.packing(segment, &holes)?;
        let after = builder.chain();
        let complete = ends_with_index(segment);
        if complete {
            builder.end();
            records.extend(builder.take());
        }
        self.stored_chain = match self.stored_index(segment) {
            None if !finished => Some(after),
            stored => {
                let (stored, file) = (stored.unwrap_or_default(), segment.index_name());
                let lines = segment.file_name();
                let mut comparison = Comparison::new(&stored, segment.first, file, lines, &holes, finished);
                comparison.head(self.stored_chain);
                comparison.blocks(&records, segment.end().last);
                comparison.tables(complete);
                comparison.end(segment.end().last);
                self.damage.append(&mut comparison.damage);
                comparison.chain()
            }
        };
        self.bytes += end;
        (self.progress)(self.bytes, self.total);
        Ok(after)
    }

    /// Names what is not as it was written of a compressed file although its lines are.
    fn packing(&mut self, segment: &Segment, holes: &[Hole]) -> io::Result<()> {
        let data = segment.data()?;
        let Data::Compressed(file) = &*data else {
            return Ok(());
        };
        for (byte, bytes) in file.check()? {
            let named = |hole: &Hole| hole.byte <= byte + bytes && byte <= hole.byte + hole.bytes;
            if !holes.iter().any(named) {
                self.damage.push(Damage {
                    file: segment.file_name(),
                    byte,
                    bytes,
                    first: Seq::new(segment.first).unwrap_or(Seq::FIRST),
                    last: Seq::new(segment.end().last).unwrap_or(Seq::FIRST),
                    reason: "the compressed file is not as it was written; no event is lost".to_owned(),
                });
            }
        }
        Ok(())
    }

    /// The index as it is; one that the disk does not give is named.
    fn stored_index(&mut self, segment: &Segment) -> Option<Vec<u8>> {
        segment.stored_index().unwrap_or_else(|error| {
            self.damage.push(Damage {
                file: segment.index_name(),
                byte: 0,
                bytes: 0,
                first: Seq::new(segment.first).unwrap_or(Seq::FIRST),
                last: Seq::new(segment.end().last).unwrap_or(Seq::FIRST),
                reason: format!("the index cannot be read ({error}); no event is lost"),
            });
            None
        })
    }

    /// Names bytes behind the last line of a segment that ought to end with it.
    fn leftover(&mut self, segment: &Segment, builder: &IndexBuilder, end: u64) -> io::Result<()> {
        let bytes = segment.data()?.len()?.saturating_sub(end);
        if segment.is_complete() && bytes > 0 {
            let next = builder.next();
            let hole = Hole {
                first: next,
                last: next - 1,
                byte: end,
                bytes,
            };
            self.damage.push(hole.damage(segment.file_name()));
        }
        Ok(())
    }
}

/// Looks on while the lines of a segment are walked.
struct Lines<'a, 'b> {
    verifier: &'a mut Verifier<'b>,
    file: String,
    records: Vec<(BlockHead, Vec<u8>)>,
    holes: Vec<Hole>,
}

impl Watch for Lines<'_, '_> {
    fn line(&mut self, builder: &IndexBuilder) {
        self.verifier.events += 1;
        if self
            .verifier
            .against
            .is_some_and(|head| head.seq.get() + 1 == builder.next())
        {
            self.verifier.passed = Some(builder.chain());
        }
    }

    fn hole(&mut self, hole: &Hole) {
        self.verifier.damage.push(hole.damage(self.file.clone()));
        self.holes.push(hole.clone());
    }

    fn filled(&mut self, builder: &mut IndexBuilder) -> io::Result<()> {
        self.records.extend(builder.take());
        (self.verifier.progress)(self.verifier.bytes + builder.offset(), self.verifier.total);
        Ok(())
    }
}
