//! Where the members of an object lie: noted by the checker as it passes, so that the walker need not look again.

/// The first members of an object, as far as they are few and near; and which names there may be at all.
#[derive(Clone, Copy)]
pub(crate) struct Outline {
    spans: [Spans; Self::MEMBERS_MAX],
    count: usize,
    names: u64,
}

/// Where one member lies, by offsets from the object's start: its name without quotes, its value, and whether either
/// has escapes. All in one word: what is written in parts and soon read as a whole stalls the processor.
#[derive(Clone, Copy)]
pub(super) struct Spans(u64);

impl Spans {
    /// Offsets are below this, which leaves a bit for the escapes.
    const NEAR: usize = 1 << 15;
    const ESCAPED: u64 = 1 << 63;

    #[inline(always)]
    pub(super) const fn of_name(name: (usize, usize), escaped: bool) -> Self {
        Self(name.0 as u64 | (name.1 as u64) << 16).with_escapes(escaped)
    }

    #[inline(always)]
    pub(super) const fn with_escapes(self, escaped: bool) -> Self {
        Self(self.0 | if escaped { Self::ESCAPED } else { 0 })
    }

    #[inline(always)]
    const fn with_value(self, value: (usize, usize)) -> Self {
        Self(self.0 | (value.0 as u64) << 32 | (value.1 as u64) << 48)
    }

    #[inline(always)]
    pub(super) const fn name(self) -> (usize, usize) {
        (self.offset(0), self.offset(16))
    }

    #[inline(always)]
    pub(super) const fn value(self) -> (usize, usize) {
        (self.offset(32), self.offset(48))
    }

    /// Not zero if the name or the value has escapes.
    #[inline(always)]
    pub(super) const fn escapes(self) -> u64 {
        self.0 & Self::ESCAPED
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "fifteen bits are kept")]
    const fn offset(self, shift: u32) -> usize {
        (self.0 >> shift) as usize & (Self::NEAR - 1)
    }
}

impl Outline {
    const MEMBERS_MAX: usize = 10;

    /// Of an object in which nothing was found yet.
    pub(super) const EMPTY: Self = Self {
        spans: [Spans(0); Self::MEMBERS_MAX],
        count: 0,
        names: 0,
    };

    /// Of a value nothing is known about.
    pub(super) const UNKNOWN: Self = Self {
        names: u64::MAX,
        ..Self::EMPTY
    };

    /// Notes that there is a name; `None` for one with escapes, which may say anything.
    #[inline(always)]
    pub(super) fn note_name(&mut self, name: Option<&[u8]>) {
        self.names |= name.map_or(u64::MAX, name_bit);
    }

    /// Notes a member with the value, unless there is no room, or it lies too far away.
    #[inline(always)]
    pub(super) fn note(&mut self, name: Spans, value: (usize, usize)) {
        if self.count < Self::MEMBERS_MAX && value.1 < Spans::NEAR {
            self.spans[self.count] = name.with_value(value);
            self.count += 1;
        }
    }

    #[inline(always)]
    pub(super) fn get(&self, index: usize) -> Option<Spans> {
        (index < self.count).then(|| self.spans[index])
    }

    #[inline(always)]
    pub(super) fn may_have(&self, name: &[u8]) -> bool {
        self.names & name_bit(name) != 0
    }
}

/// One of 64 bits for a name: tells which names are not there from those that may be.
#[inline(always)]
fn name_bit(name: &[u8]) -> u64 {
    let ends = |(first, last): (&u8, &u8)| usize::from(*first) * 5 + usize::from(*last);
    1 << ((name.len() * 7 + name.first().zip(name.last()).map_or(0, ends)) % 64)
}
