//! Moments: microseconds since 1970 UTC, and their one text form in the ledger.

/// A moment, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Micros(pub i64);

/// A text that is no RFC 3339 moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time: {reason}")]
pub struct TimeError {
    /// What was expected.
    pub reason: &'static str,
}

impl Micros {
    /// Length of the canonical text, `2026-02-14T19:01:23.457102Z`.
    pub const TEXT_LEN: usize = 27;

    /// Reads RFC 3339 with any offset and any number of fraction digits (cut after microseconds).
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        todo!("{text}")
    }

    /// The canonical text: UTC, exactly six fraction digits, `Z`.
    #[must_use]
    pub fn text(self) -> [u8; Self::TEXT_LEN] {
        todo!()
    }
}

impl std::fmt::Display for Micros {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).expect("canonical text is ASCII"))
    }
}
