//! Why a record was not taken.

/// A record that could not become an event: a stable code, what happened and what to do, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Stable for ever: `not_an_event`, `invalid_json`, `event_too_large`, `duplicate_key`, …
    pub code: &'static str,
    /// What happened and what to do, for people.
    pub message: String,
    /// Byte offset of the fault, counted from the start of the body the record came in.
    pub byte: Option<usize>,
}

impl Refusal {
    /// A refusal without a place.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            byte: None,
        }
    }

    /// The same refusal at a byte.
    #[must_use]
    pub fn at(mut self, byte: usize) -> Self {
        self.byte = Some(byte);
        self
    }

    /// The same refusal with its byte counted from a start that lies `bytes` earlier: from a record's place in the
    /// body, where the byte was counted from the record.
    #[must_use]
    pub fn moved(mut self, bytes: usize) -> Self {
        self.byte = self.byte.map(|byte| byte + bytes);
        self
    }

    /// The same refusal at a byte, if it has no place of its own.
    #[must_use]
    pub const fn or_at(mut self, byte: usize) -> Self {
        if self.byte.is_none() {
            self.byte = Some(byte);
        }
        self
    }
}
