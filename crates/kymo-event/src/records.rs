//! Cuts a body into records: one value, an array, or lines.
//!
//! Every byte is checked once here (UTF-8, syntax, size, depth); dialects then walk over checked text.
use crate::{
    Limits, RawJson, Refusal,
    json::{self, Checked, Fault, skip_space},
};

mod wrapper;

pub use wrapper::{Unreadable, Wrapper};

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
    /// The checked value, or why it was refused (the byte in the refusal counts from the start of the body).
    pub value: Result<RawJson<'a>, Refusal>,
}

/// The records of a body in order. A leading byte-order mark is skipped. A syntax error costs one line, or the whole
/// of an array (then the iterator yields that one refusal and no record).
pub struct Records<'a> {
    body: &'a [u8],
    nesting_max: usize,
    event_bytes_max: usize,
    index: usize,
    source: Source<'a>,
}

enum Source<'a> {
    Lines {
        at: usize,
        line: usize,
    },
    Values {
        text: &'a str,
        values: std::vec::IntoIter<(usize, Checked)>,
        /// Where the first value begins that is not among these.
        rest: Option<usize>,
    },
    Refused(Option<(usize, Refusal)>),
}

impl<'a> Records<'a> {
    /// Looks at the body. An empty body (or one of white space) is `empty_body`.
    pub fn new(body: &'a [u8], format: RecordFormat, limits: &Limits) -> Result<Self, Refusal> {
        if body.len() > limits.batch_bytes_max {
            let message = format!(
                "the batch is {} bytes and {} are allowed: send it in parts",
                body.len(),
                limits.batch_bytes_max
            );
            return Err(Refusal::new("batch_too_large", message));
        }
        let start = skip_space(body, if body.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 });
        if start == body.len() {
            return Err(Refusal::new(
                "empty_body",
                "the body is empty: send one event, an array, or one event per line",
            ));
        }
        let source = match format {
            RecordFormat::Lines => lines_from(body),
            RecordFormat::Json => whole(body, start),
        };
        Ok(Self {
            body,
            nesting_max: limits.nesting_max,
            event_bytes_max: limits.event_bytes_max,
            index: 0,
            source,
        })
    }

    /// The value found at `start` in `text`, if it keeps to the limits.
    #[inline(always)]
    fn judge(&self, text: &'a str, start: usize, checked: &Checked) -> Result<RawJson<'a>, Refusal> {
        too_large(checked.end - start, self.event_bytes_max)?;
        RawJson::from_checked(text, start, checked, self.nesting_max)
    }

    #[inline(always)]
    fn judge_line(&self, line: &'a [u8]) -> Result<RawJson<'a>, Refusal> {
        too_large(line.len(), self.event_bytes_max)?;
        let text = std::str::from_utf8(line).map_err(invalid_utf8)?;
        let checked = json::check(line, 0)?;
        if checked.end < line.len() {
            let at = skip_space(line, checked.end);
            return Err(Fault::Syntax {
                at,
                what: "nothing may follow the value on its line",
            }
            .into());
        }
        self.judge(text, 0, &checked)
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    #[inline]
    fn next(&mut self) -> Option<Record<'a>> {
        let index = self.index;
        let record = match &mut self.source {
            Source::Lines { at, line } => {
                let (byte, number, text) = next_line(self.body, at, line)?;
                let value = self
                    .judge_line(text)
                    .map_err(|refusal| refusal.moved(byte).or_at(byte));
                Record {
                    index,
                    line: number,
                    byte,
                    value,
                }
            }
            Source::Values { text, values, rest } => {
                let (start, checked) = values.next().or_else(|| again(text.as_bytes(), rest))?;
                let text = *text;
                let value = self
                    .judge(text, start, &checked)
                    .map_err(|refusal| refusal.or_at(start));
                Record {
                    index,
                    line: 1,
                    byte: start,
                    value,
                }
            }
            Source::Refused(refusal) => {
                let (byte, refusal) = refusal.take()?;
                Record {
                    index,
                    line: 1,
                    byte,
                    value: Err(refusal.or_at(byte)),
                }
            }
        };
        self.index += 1;
        Some(record)
    }
}

fn lines_from<'a>(body: &'a [u8]) -> Source<'a> {
    Source::Lines {
        at: if body.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 },
        line: 0,
    }
}

/// The next line that is not blank, without white space around it: where it begins, its number, its bytes.
fn next_line<'a>(body: &'a [u8], at: &mut usize, line: &mut usize) -> Option<(usize, usize, &'a [u8])> {
    while *at < body.len() {
        let end = memchr::memchr(b'\n', &body[*at..]).map_or(body.len(), |found| *at + found);
        let start = skip_space(&body[..end], *at);
        *at = end + 1;
        *line += 1;
        if start < end {
            let trailing = body[start..end]
                .iter()
                .rev()
                .take_while(|byte| json::is_space(**byte))
                .count();
            return Some((start, *line, &body[start..end - trailing]));
        }
    }
    None
}

/// A body that is one value, an array, or lines after all.
fn whole(body: &[u8], start: usize) -> Source<'_> {
    let values = if body[start] == b'[' {
        lone_array(body, start)
    } else {
        single(body, start)
    };
    match values {
        Ok(Some(Found { values, rest, .. })) => match std::str::from_utf8(body) {
            Ok(text) => Source::Values {
                text,
                values: values.into_iter(),
                rest,
            },
            Err(error) => Source::Refused(Some((start, invalid_utf8(error)))),
        },
        Ok(None) => lines_from(body),
        Err(fault) => Source::Refused(Some((start, fault.into()))),
    }
}

/// Values whose place is kept. What is known of one takes more memory than the smallest values do.
const KEPT_MAX: usize = 4_096;

/// Values of a body, all of them checked.
struct Found {
    values: Vec<(usize, Checked)>,
    /// Where the first value begins that is not kept.
    rest: Option<usize>,
    /// Behind the last.
    end: usize,
}

impl Found {
    fn one(start: usize, checked: Checked) -> Self {
        Self {
            values: vec![(start, checked)],
            rest: None,
            end: checked.end,
        }
    }
}

/// The value at `rest` once more, which then is where the next one begins.
fn again(body: &[u8], rest: &mut Option<usize>) -> Option<(usize, Checked)> {
    let start = rest.take()?;
    let checked = json::check(body, start).ok()?;
    let at = skip_space(body, checked.end);
    *rest = (body.get(at) == Some(&b',')).then(|| skip_space(body, at + 1));
    Some((start, checked))
}

/// The one value of a body, or `None` where there are more and the body is lines.
fn single(body: &[u8], start: usize) -> Result<Option<Found>, Fault> {
    match json::check(body, start) {
        Ok(checked) if skip_space(body, checked.end) == body.len() => Ok(Some(Found::one(start, checked))),
        Ok(_) => Ok(None),
        Err(Fault::Syntax { at, .. }) if second_line(body, start).is_some_and(|second| at <= second) => {
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}

/// Where the second line begins, if an object begins there: then a fault up to there broke a line, not a document.
fn second_line(body: &[u8], start: usize) -> Option<usize> {
    let end = start + memchr::memchr(b'\n', &body[start..])?;
    let second = skip_space(body, end);
    (body.get(second) == Some(&b'{')).then_some(second)
}

/// The elements of the array that a body is.
fn lone_array(body: &[u8], start: usize) -> Result<Option<Found>, Fault> {
    let found = array(body, start)?;
    let rest = skip_space(body, found.end);
    if rest < body.len() {
        return Err(Fault::Syntax {
            at: rest,
            what: "nothing may follow the array",
        });
    }
    Ok(Some(found))
}

/// The elements of an array, each checked, and where it ends.
fn array(body: &[u8], start: usize) -> Result<Found, Fault> {
    let (mut values, mut rest) = (Vec::new(), None);
    let mut at = skip_space(body, start + 1);
    if body.get(at) != Some(&b']') {
        loop {
            let checked = json::check(body, at)?;
            if values.len() < KEPT_MAX {
                values.push((at, checked));
            } else {
                rest.get_or_insert(at);
            }
            at = skip_space(body, checked.end);
            match body.get(at) {
                Some(b',') => at = skip_space(body, at + 1),
                Some(b']') => break,
                Some(_) => {
                    return Err(Fault::Syntax {
                        at,
                        what: "`,` or `]` was expected",
                    });
                }
                None => {
                    return Err(Fault::Syntax {
                        at,
                        what: "the text ends inside an array",
                    });
                }
            }
        }
    }
    Ok(Found {
        values,
        rest,
        end: at + 1,
    })
}

pub(crate) fn invalid_utf8(error: std::str::Utf8Error) -> Refusal {
    Refusal::new("invalid_utf8", "the text is not UTF-8: encode it before sending").at(error.valid_up_to())
}

/// Refuses an event over the limit.
pub(crate) fn too_large(size: usize, limit: usize) -> Result<(), Refusal> {
    if size <= limit {
        return Ok(());
    }
    let message = format!(
        "the event is {size} bytes and {limit} are allowed: store the payload elsewhere and send where it is"
    );
    Err(Refusal::new("event_too_large", message))
}
