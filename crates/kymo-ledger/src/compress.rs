//! Compressed segments: zstd's seekable format, frames ending where blocks end.
//!
//! `zstdcat` reads the file like any other; a reader of ours finds a frame by the table at its end. Offsets are those
//! of the uncompressed lines everywhere, so the index stays as it is.

use std::{collections::VecDeque, io, sync::Arc};

use bytes::Bytes;
use parking_lot::Mutex;
use zstd::{bulk, zstd_safe};

use crate::{
    disk::{self, DiskFile, in_memory},
    index::{Fields, PutFields, length},
    segment::Data,
};

const LEVEL: i32 = 3;
// A block of large events is divided, so that nobody has to hold all of it.
const FRAME_BYTES_MAX: u64 = 4 << 20;
// What is read at once where the frames themselves are looked for.
const WINDOW_BYTES: usize = 8 << 20;
// Decompressed frames that are kept for the next reader.
const KEPT_FRAMES: usize = 4;

// What a frame of ours may have when packed: zstd adds little to what cannot be packed.
const PACKED_BYTES_MAX: usize = (4 << 20) + (64 << 10);
// No segment is larger. A file that claims more is not one of ours, and nobody reads on for ever.
const LINES_BYTES_MAX: u64 = 8 << 30;
const FRAMES_MAX: u32 = 1 << 20;
// The head of a zstd frame is at most this long.
const FRAME_HEAD_MAX: usize = 18;
const SKIPPABLE: u32 = 0x184D_2A5E;
const SKIPPABLE_SUMS: u32 = 0x184D_2A5D;
const SEEKABLE: u32 = 0x8F92_EAB1;
const TABLE_FOOTER: usize = 9;
const TABLE_ENTRY: usize = 8;

/// Where a frame is, in the file and in the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Frame {
    packed_at: u64,
    packed: u32,
    at: u64,
    bytes: u32,
}

impl Frame {
    fn end(&self) -> u64 {
        self.at + u64::from(self.bytes)
    }
}

/// Writes `data` compressed to `out`, a frame for each block that ends at one of `ends` (or several). Returns the
/// size of the file.
pub(crate) fn compress(data: &Data, ends: &[u64], out: &dyn DiskFile) -> io::Result<u64> {
    let mut compressor = bulk::Compressor::new(LEVEL)?;
    compressor.set_parameter(zstd_safe::CParameter::ChecksumFlag(true))?;
    let (mut at, mut packed_at) = (0, 0);
    let (mut frames, mut sums) = (Vec::new(), Vec::new());
    for &end in ends {
        while at < end {
            let want = (end - at).min(FRAME_BYTES_MAX) as usize;
            let mut bytes = Vec::new();
            if data.read(&mut bytes, at, want)? != want {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let packed = compressor.compress(&bytes)?;
            disk::write_full(out, &packed, packed_at)?;
            let frame = Frame {
                packed_at,
                packed: length(packed.len()),
                at,
                bytes: length(want),
            };
            (at, packed_at) = (frame.end(), packed_at + packed.len() as u64);
            frames.push(frame);
            sums.push(kymo_event::checksum(&packed));
        }
    }
    let end = end(&frames, &sums);
    disk::write_full(out, &end, packed_at)?;
    Ok(packed_at + end.len() as u64)
}

/// What follows the frames: a frame of checksums, which other readers skip, and the table.
fn end(frames: &[Frame], sums: &[u32]) -> Vec<u8> {
    let packed = length(8 + (sums.len() + 1) * 4);
    let mut all = frames.to_vec();
    all.push(Frame {
        packed_at: frames
            .last()
            .map_or(0, |last| last.packed_at + u64::from(last.packed)),
        packed,
        at: frames.last().map_or(0, Frame::end),
        bytes: 0,
    });
    let table = table(&all);
    let mut out = Vec::new();
    out.put_u32(SKIPPABLE_SUMS);
    out.put_u32(packed - 8);
    sums.iter().for_each(|&sum| out.put_u32(sum));
    out.put_u32(kymo_event::checksum(&table));
    out.extend(table);
    out
}

fn table(frames: &[Frame]) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_u32(SKIPPABLE);
    out.put_u32(length(frames.len() * TABLE_ENTRY + TABLE_FOOTER));
    for frame in frames {
        out.put_u32(frame.packed);
        out.put_u32(frame.bytes);
    }
    out.put_u32(length(frames.len()));
    out.put_u8(0);
    out.put_u32(SEEKABLE);
    out
}

/// A compressed file, read as the lines it stands for.
pub(crate) struct Compressed {
    file: Arc<dyn DiskFile>,
    frames: Vec<Frame>,
    kept: Mutex<VecDeque<(u64, Bytes)>>,
}

impl Compressed {
    pub(crate) fn open(file: Arc<dyn DiskFile>) -> io::Result<Self> {
        let frames = match read_table(&*file)? {
            Some(entries) => corrected(&*file, &entries)?,
            None => None,
        };
        let frames = match frames {
            Some(frames) => frames,
            None => frames_themselves(&*file)?.all,
        };
        Ok(Self {
            file,
            frames,
            kept: Mutex::default(),
        })
    }

    /// Size of the lines.
    pub(crate) fn len(&self) -> u64 {
        self.frames.last().map_or(0, Frame::end)
    }

    /// Appends `bytes` bytes from `offset` of the lines. A frame that is damaged reads as zeros, which no line has.
    pub(crate) fn read(&self, into: &mut Vec<u8>, offset: u64, bytes: usize) -> io::Result<usize> {
        let end = self.len().min(offset.saturating_add(bytes as u64));
        let first = self.frames.partition_point(|frame| frame.end() <= offset);
        let start = into.len();
        for frame in self.frames[first..].iter().take_while(|frame| frame.at < end) {
            let content = self.frame(frame)?;
            let from = in_memory(offset.saturating_sub(frame.at));
            let to = in_memory(end.min(frame.end()) - frame.at);
            into.extend_from_slice(&content[from..to]);
        }
        Ok(into.len() - start)
    }

    /// Whether the file is as it was written, also where that makes no difference to the lines: offset and length of
    /// the lines whose frames are not, and of none where it is what follows the frames.
    pub(crate) fn check(&self) -> io::Result<Vec<(u64, u64)>> {
        let found = frames_themselves(&*self.file)?;
        let frames = &found.all;
        let from = frames
            .last()
            .map_or(0, |last| last.packed_at + u64::from(last.packed));
        let mut stored = Vec::new();
        let left = in_memory(self.file.len()?.saturating_sub(from)).min(PACKED_BYTES_MAX);
        disk::read_full(&*self.file, &mut stored, from, left)?;
        if found.empty == 1 {
            // Of before there were checksums.
            let good = stored == table(frames);
            return Ok(if good { Vec::new() } else { vec![(self.len(), 0)] });
        }
        let (mut sums, mut spoiled, mut packed) = (Vec::new(), Vec::new(), Vec::new());
        for (number, frame) in frames.iter().enumerate() {
            packed.clear();
            disk::read_full(&*self.file, &mut packed, frame.packed_at, frame.packed as usize)?;
            let sum = kymo_event::checksum(&packed);
            if stored.get(8 + number * 4..12 + number * 4) != Some(&sum.to_le_bytes()[..]) {
                spoiled.push((frame.at, u64::from(frame.bytes)));
            }
            sums.push(sum);
        }
        if spoiled.is_empty() && stored != end(frames, &sums) {
            spoiled.push((self.len(), 0));
        }
        Ok(spoiled)
    }

    fn frame(&self, frame: &Frame) -> io::Result<Bytes> {
        if let Some((_, content)) = self.kept.lock().iter().find(|(at, _)| *at == frame.at) {
            return Ok(content.clone());
        }
        let mut packed = Vec::new();
        disk::read_full(&*self.file, &mut packed, frame.packed_at, frame.packed as usize)?;
        let expected = frame.bytes as usize;
        let content = bulk::decompress(&packed, expected)
            .ok()
            .filter(|content| content.len() == expected);
        let content = Bytes::from(content.unwrap_or_else(|| vec![0; expected]));
        let mut kept = self.kept.lock();
        kept.push_back((frame.at, content.clone()));
        if kept.len() > KEPT_FRAMES {
            kept.pop_front();
        }
        Ok(content)
    }
}

/// What the table at the end says of each frame, packed and not; `None` where it is damaged.
fn read_table(file: &dyn DiskFile) -> io::Result<Option<Vec<(u32, u32)>>> {
    let size = file.len()?;
    let Some(footer_at) = size.checked_sub(TABLE_FOOTER as u64) else {
        return Ok(None);
    };
    let mut footer = Vec::new();
    disk::read_full(file, &mut footer, footer_at, TABLE_FOOTER)?;
    let mut footer = Fields(&footer);
    let (Some(count), Some(0), Some(SEEKABLE)) = (footer.u32(), footer.u8(), footer.u32()) else {
        return Ok(None);
    };
    if count > FRAMES_MAX {
        return Ok(None);
    }
    let table_bytes = count as usize * TABLE_ENTRY;
    let Some(table_at) = footer_at.checked_sub(table_bytes as u64 + 8) else {
        return Ok(None);
    };
    let mut table = Vec::new();
    disk::read_full(file, &mut table, table_at, table_bytes + 8)?;
    let mut table = Fields(&table);
    let framed = table.u32() == Some(SKIPPABLE) && table.u32() == Some(length(table_bytes + TABLE_FOOTER));
    let (mut entries, mut packed_at) = (Vec::new(), 0);
    while let (Some(packed), Some(bytes)) = (table.u32(), table.u32()) {
        entries.push((packed, bytes));
        packed_at += u64::from(packed);
    }
    let possible = entries.iter().all(|&(packed, bytes)| can_be(packed, bytes));
    Ok((framed && possible && packed_at == table_at).then_some(entries))
}

/// The frames of the table, each as large as it is; `None` where the table cannot be.
///
/// A table has no checksum, and one wrong size would shift all that follows. A frame's head has none either, but its
/// content does: where the two disagree, a frame that unpacks says how large it is, and one that does not is what is
/// damaged, so that the table is right.
fn corrected(file: &dyn DiskFile, entries: &[(u32, u32)]) -> io::Result<Option<Vec<Frame>>> {
    let mut out = Frames::default();
    let mut start = Vec::new();
    for &(packed, said) in entries {
        start.clear();
        disk::read_full(file, &mut start, out.packed_at, FRAME_HEAD_MAX)?;
        let head = zstd_safe::get_frame_content_size(&start);
        let mut bytes = said;
        if !matches!(head, Ok(Some(head)) if head == u64::from(said)) {
            start.clear();
            disk::read_full(file, &mut start, out.packed_at, packed as usize)?;
            if let Ok(content) = bulk::decompress(&start, in_memory(FRAME_BYTES_MAX)) {
                bytes = length(content.len());
            }
        }
        if !out.add(packed, bytes) {
            return Ok(None);
        }
    }
    Ok(Some(out.all))
}

/// The frames as they say of themselves, one after another, up to the first that cannot be read.
fn frames_themselves(file: &dyn DiskFile) -> io::Result<Frames> {
    let (mut frames, mut window, mut at) = (Frames::default(), Vec::new(), 0);
    loop {
        if window.len() - at < PACKED_BYTES_MAX {
            window.drain(..std::mem::take(&mut at));
            let from = frames.packed_at + window.len() as u64;
            disk::read_full(file, &mut window, from, WINDOW_BYTES)?;
        }
        let rest = &window[at..];
        if let Ok(packed) = zstd_safe::find_frame_compressed_size(rest)
            && let Ok(Some(bytes)) = zstd_safe::get_frame_content_size(rest)
            && let (Ok(packed), Ok(bytes)) = (u32::try_from(packed), u32::try_from(bytes))
            && frames.add(packed, bytes)
        {
            at += packed as usize;
        } else {
            return Ok(frames);
        }
    }
}

/// Whether a frame of ours can be so large. Nothing unpacks from nothing: a few such entries would claim more lines
/// than there is room for.
fn can_be(packed: u32, bytes: u32) -> bool {
    (1..=PACKED_BYTES_MAX).contains(&(packed as usize)) && u64::from(bytes) <= FRAME_BYTES_MAX
}

#[derive(Default)]
struct Frames {
    /// Those with lines.
    all: Vec<Frame>,
    packed_at: u64,
    /// How many without lines are behind them.
    empty: usize,
}

impl Frames {
    /// `false`: this can be no frame of ours, whatever the file claims.
    fn add(&mut self, packed: u32, bytes: u32) -> bool {
        let frame = Frame {
            packed_at: self.packed_at,
            packed,
            at: self.all.last().map_or(0, Frame::end),
            bytes,
        };
        if !can_be(packed, bytes) || frame.end() > LINES_BYTES_MAX {
            return false;
        }
        self.packed_at += u64::from(packed);
        // A frame of nothing would begin where the next one does, and be taken for it.
        if bytes > 0 {
            self.all.push(frame);
            self.empty = 0;
        } else {
            self.empty += 1;
        }
        true
    }
}
