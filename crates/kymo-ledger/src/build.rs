//! Makes an index from the lines of a segment: the same bytes as the indexer made them live.

use std::io;

use crate::{
    chain::Chain,
    index::{FileHead, IndexBuilder, Names, seal},
    segment::{Data, Segment},
    walk::{Hole, Step, Walker},
};

const READ_BYTES: usize = 1 << 20;

/// Who looks on while a segment is walked.
pub(crate) trait Watch {
    /// A line was added.
    fn line(&mut self, _builder: &IndexBuilder) {}
    /// Something else than a line stood there.
    fn hole(&mut self, _hole: &Hole) {}
    /// Blocks may have been finished: time to take them away.
    fn filled(&mut self, builder: &mut IndexBuilder) -> io::Result<()>;
}

/// Lets finished blocks go.
pub(crate) struct OnlyLines;

impl Watch for OnlyLines {
    fn filled(&mut self, builder: &mut IndexBuilder) -> io::Result<()> {
        drop(builder.take());
        Ok(())
    }
}

/// Keeps finished blocks.
struct Keep<'a>(&'a mut Vec<u8>);

impl Watch for Keep<'_> {
    fn filled(&mut self, builder: &mut IndexBuilder) -> io::Result<()> {
        builder
            .take()
            .iter()
            .for_each(|(_, record)| self.0.extend_from_slice(record));
        Ok(())
    }
}

/// The whole index file of a complete segment.
pub(crate) fn index(segment: &Segment, chain: Chain) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let head = FileHead {
        first: segment.first,
        chain,
    };
    head.write(&mut bytes);
    let mut builder = IndexBuilder::new(segment.first, 0, chain, Names::default());
    let mut keep = Keep(&mut bytes);
    walk(segment, &mut builder, &mut keep)?;
    builder.end();
    keep.filled(&mut builder)?;
    let tables = seal(&bytes)?;
    bytes.extend(tables);
    Ok(bytes)
}

/// Gives `builder` the lines it has not had, up to the segment's durable end, and says where it came to. Holes count
/// once a good line follows: behind the last one nothing is known.
pub(crate) fn walk(segment: &Segment, builder: &mut IndexBuilder, watch: &mut dyn Watch) -> io::Result<u64> {
    let data = segment.data()?;
    let end = segment.end();
    let mut walker = Walker::over(
        data.clone(),
        builder.next(),
        builder.offset(),
        end.last,
        end.bytes,
    );
    let mut hole: Option<Hole> = None;
    loop {
        match walker.step() {
            Step::Line { start, end } => {
                if let Some(hole) = hole.take() {
                    add_hole(&data, builder, &hole)?;
                }
                builder.line(walker.bytes(start, end));
                watch.line(builder);
            }
            Step::Edge => {
                walker.advance(READ_BYTES)?;
                watch.filled(builder)?;
            }
            Step::Bad => {
                let found = walker.hole()?;
                watch.hole(&found);
                hole = Some(found);
            }
            Step::Done => {
                watch.filled(builder)?;
                return Ok(walker.offset());
            }
        }
    }
}

fn add_hole(data: &Data, builder: &mut IndexBuilder, hole: &Hole) -> io::Result<()> {
    let (mut done, mut piece) = (0, Vec::new());
    while done < hole.bytes {
        piece.clear();
        let want = READ_BYTES.min(usize::try_from(hole.bytes - done).unwrap_or(READ_BYTES));
        let read = data.read(&mut piece, hole.byte + done, want)?;
        if read == 0 {
            break;
        }
        builder.garbage(&piece);
        done += read as u64;
    }
    builder.lost(hole.lost());
    Ok(())
}
