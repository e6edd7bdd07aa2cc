//! Cuts a body into records: one value, an array, or lines.
use crate::{Limits, RawJson, Refusal};

/// How the records of a body are divided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordFormat {
    /// One value, an array of values, or (if a second value follows) lines: whatever it turns out to be.
    Json,
    /// One value per line; blank lines are skipped.
    Lines,
}

/// One record of a body.
#[derive(Debug)]
pub struct Record<'a> {
    /// Index among the records of the body, from 0 (for lines: blank lines do not count).
    pub index: usize,
    /// Line number from 1 where the body is lines, else 1.
    pub line: usize,
    /// Byte offset in the body.
    pub byte: usize,
    /// The checked value, or why it was refused.
    pub value: Result<RawJson<'a>, Refusal>,
}

/// The records of a body in order. A leading byte-order mark is skipped. A syntax error costs one line, or the whole
/// of an array (then the iterator yields that one refusal and no record).
pub struct Records<'a> {
    body: &'a [u8],
}

impl<'a> Records<'a> {
    /// Looks at the body. An empty body (or one of white space) is `empty_body`.
    pub fn new(body: &'a [u8], format: RecordFormat, limits: &Limits) -> Result<Self, Refusal> {
        todo!("{body:?}{format:?}{limits:?}")
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        todo!("{:?}", self.body)
    }
}
