//! Where plain text in a JSON string stops, found for sixty-four bytes at once.
//!
//! A checker meets many short strings close together. Here each byte is classified once, in wide registers, and every
//! string end after that is one look at a bit mask.
use wide::u8x16;

/// Bytes that one vector register holds.
pub(super) const STEP: usize = 16;
const BLOCK: usize = 64;

/// A bit for each byte that is a quote or a backslash.
#[inline(always)]
pub(super) fn quotes_in(step: u8x16) -> u32 {
    (equal(step, b'"') | equal(step, b'\\')).to_bitmask()
}

/// A bit for each byte below 0x20.
#[inline(always)]
pub(super) fn controls_in(step: u8x16) -> u32 {
    below_space(step).to_bitmask()
}

#[inline(always)]
fn equal(step: u8x16, byte: u8) -> u8x16 {
    step.simd_eq(u8x16::splat(byte))
}

#[inline(always)]
fn below_space(step: u8x16) -> u8x16 {
    step.min(u8x16::splat(0x1f)).simd_eq(step)
}

/// Finds quotes, backslashes and control bytes in the order in which they stand.
pub(crate) struct Stops<'b> {
    bytes: &'b [u8],
    /// Where the block begins that `marks` is about.
    base: usize,
    /// A bit for each stop in the block.
    marks: u64,
}

impl<'b> Stops<'b> {
    pub(crate) fn new(bytes: &'b [u8], at: usize) -> Self {
        Self {
            bytes,
            base: at,
            marks: marks_from(bytes, at),
        }
    }

    /// The first stop at or after `at`, which never goes back; the end of the bytes if there is none.
    #[inline(always)]
    pub(crate) fn next(&mut self, at: usize) -> usize {
        let offset = at - self.base;
        if offset < BLOCK {
            let marks = self.marks >> offset;
            if marks != 0 {
                return at + marks.trailing_zeros() as usize;
            }
        }
        self.further(at.max(self.base + BLOCK))
    }

    /// Behind the closing quote of the string whose opening quote is at `open`, in text known to be good.
    #[inline(always)]
    pub(crate) fn quoted_end(&mut self, open: usize) -> usize {
        let mut at = self.next(open + 1);
        while self.bytes.get(at) == Some(&b'\\') {
            at = self.next((at + 2).min(self.bytes.len()));
        }
        (at + 1).min(self.bytes.len())
    }

    #[inline(never)]
    fn further(&mut self, mut at: usize) -> usize {
        while at < self.bytes.len() {
            self.base = at;
            self.marks = marks_from(self.bytes, at);
            if self.marks != 0 {
                return at + self.marks.trailing_zeros() as usize;
            }
            at += BLOCK;
        }
        self.bytes.len()
    }
}

#[inline(always)]
fn marks_from(bytes: &[u8], at: usize) -> u64 {
    let rest = &bytes[at.min(bytes.len())..];
    match rest.first_chunk() {
        Some(block) => marks_in(block),
        None => last_marks(bytes, rest.len()),
    }
}

/// The marks of the last `count` bytes, fewer than a block: the block that ends with them is looked at.
fn last_marks(bytes: &[u8], count: usize) -> u64 {
    if count == 0 {
        return 0;
    }
    if let Some(block) = bytes.last_chunk() {
        return marks_in(block) >> (BLOCK - count);
    }
    let mut block = [b' '; BLOCK];
    block[..count].copy_from_slice(&bytes[bytes.len() - count..]);
    marks_in(&block)
}

#[inline(always)]
fn marks_in(block: &[u8; BLOCK]) -> u64 {
    let (steps, _) = block.as_chunks::<STEP>();
    steps.iter().rev().fold(0, |marks, step| {
        let step = u8x16::new(*step);
        let stops = equal(step, b'"') | equal(step, b'\\') | below_space(step);
        marks << STEP | u64::from(stops.to_bitmask())
    })
}
