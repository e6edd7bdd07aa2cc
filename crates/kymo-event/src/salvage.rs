//! Finds the records in a file of JSON lines that many programs append to, whatever befell it.
//!
//! Such files are rarely clean: two records share a line, one was cut short where the next begins, an object was
//! printed over many lines, zeros or a byte-order mark stand before it, a quote is lost. Each costs at most the damaged
//! record. [`crate::Records`] is for bodies, where a client is told and can mend what it sends; here nobody can, so
//! what is good is found, and what is not is named with its place.

use std::ops::Range;

use crate::{
    Limits, RawJson, Refusal,
    json::{Checked, Fault, check, is_space},
};

mod resume;

/// What follows the bytes that are there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Follows {
    /// More may come at any moment: only what is certain is taken.
    More,
    /// Nothing has come for a while: a whole record counts even if nobody ended its line yet.
    Perhaps,
    /// Nothing: what is not whole now never will be.
    Nothing,
}

/// Something in the file.
#[derive(Debug)]
pub struct Found<'a> {
    /// Where it begins, in bytes from the beginning of the file.
    pub at: u64,
    /// On which line that is, from 1.
    pub line: u64,
    /// All of it, as it stands there.
    pub bytes: &'a [u8],
    /// The record, always an object, or why it is none.
    pub record: Result<RawJson<'a>, Refusal>,
}

/// Reads a file from one place on, as its bytes come.
#[derive(Debug)]
pub struct Salvage {
    limits: Limits,
    /// What was not taken yet.
    bytes: Vec<u8>,
    /// Where that begins in the file, and on which line.
    at: u64,
    line: u64,
    /// Inside something that is too large: it is passed over up to the end of its line.
    passing: bool,
}

impl Salvage {
    /// Begins at a byte that is the beginning of this line (from 1).
    #[must_use]
    pub const fn new(at: u64, line: u64, limits: Limits) -> Self {
        Self {
            limits,
            bytes: Vec::new(),
            at,
            line,
            passing: false,
        }
    }

    /// Where what was not taken yet begins: the byte and its line. Reading may go on from here in another process.
    #[must_use]
    pub const fn position(&self) -> (u64, u64) {
        (self.at, self.line)
    }

    /// Where the next bytes are to be read.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.at + self.bytes.len() as u64
    }

    /// Room for the next bytes, at the end of those that were not taken yet.
    pub fn room(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Hands out what can be told from the bytes that are there, in their order.
    pub fn take(&mut self, follows: Follows, each: &mut dyn FnMut(Found<'_>)) {
        let mut walk = Walk {
            bytes: &self.bytes,
            limits: &self.limits,
            at: self.at,
            line: self.line,
            next: 0,
            passing: self.passing,
            follows,
            each,
        };
        while walk.step() {}
        (self.line, self.passing) = (walk.line, walk.passing);
        let taken = walk.next;
        self.at += taken as u64;
        self.bytes.drain(..taken);
    }
}

/// One pass over what is there.
struct Walk<'b, 'f> {
    bytes: &'b [u8],
    limits: &'b Limits,
    /// Where `bytes` begin in the file.
    at: u64,
    /// The line on which `next` is.
    line: u64,
    next: usize,
    passing: bool,
    follows: Follows,
    each: &'f mut dyn FnMut(Found<'_>),
}

impl<'b> Walk<'b, '_> {
    /// Deals with the line that is next, or with the lines of an object that begins there; whether it could.
    fn step(&mut self) -> bool {
        if self.next == self.bytes.len() {
            return false;
        }
        let line = self.line_from(self.next);
        if self.passing {
            return self.pass(line);
        }
        let Some(line) = line else {
            return self.unended();
        };
        let text = self.stripped(line.clone());
        if text.is_empty() {
            self.go_to(line.end);
            return true;
        }
        // The records of the line, unless it only begins one.
        match self.whole(text.clone()) {
            Ok(record) => self.hand_out(text, Ok(record)),
            Err(Some(Fault::Syntax { at, .. })) if at >= text.end => {
                if let Some(object) = self.over_lines(text.start) {
                    return self.object(object);
                }
                self.pieces(text);
            }
            Err(_) => self.pieces(text),
        }
        self.go_to(line.end);
        true
    }

    /// The line that begins here, with its end, if that has come.
    fn line_from(&self, start: usize) -> Option<Range<usize>> {
        let end = memchr::memchr(b'\n', &self.bytes[start..]).map(|end| start + end + 1);
        match end {
            Some(end) => Some(start..end),
            None => (self.follows == Follows::Nothing && start < self.bytes.len())
                .then_some(start..self.bytes.len()),
        }
    }

    /// The same without what may stand around a record.
    fn stripped(&self, line: Range<usize>) -> Range<usize> {
        let bytes = &self.bytes[line.clone()];
        let start = line.start + padding(bytes);
        let end = bytes.iter().rposition(|byte| !is_padding(*byte));
        start..end.map_or(start, |last| (line.start + last + 1).max(start))
    }

    /// A line whose end has not come.
    fn unended(&mut self) -> bool {
        if self.bytes.len() - self.next > self.limits.event_bytes_max {
            self.refuse(self.next..self.bytes.len(), too_large(self.limits));
            self.passing = true;
            return true;
        }
        if self.follows != Follows::Perhaps {
            return false;
        }
        let text = self.stripped(self.next..self.bytes.len());
        match self.whole(text.clone()) {
            Ok(record) => self.hand_out(text, Ok(record)),
            Err(_) => return false,
        }
        self.next = self.bytes.len();
        true
    }

    /// Goes behind what is too large.
    fn pass(&mut self, line: Option<Range<usize>>) -> bool {
        let end = line.map(|line| line.end);
        self.passing = end.is_none();
        self.go_to(end.unwrap_or(self.bytes.len()));
        true
    }

    /// An object that is all of `text`.
    fn whole(&self, text: Range<usize>) -> Result<RawJson<'b>, Option<Fault>> {
        let line = &self.bytes[..text.end];
        if line.get(text.start) != Some(&b'{') {
            return Err(None);
        }
        let checked = check(line, text.start)?;
        if checked.end < text.end {
            return Err(None);
        }
        self.judged(&checked, text.start).map_err(|_| None)
    }

    /// What was checked, if it is text and keeps to the limits.
    fn judged(&self, checked: &Checked, start: usize) -> Result<RawJson<'b>, Refusal> {
        let bytes = &self.bytes[start..checked.end];
        if bytes.len() > self.limits.event_bytes_max {
            return Err(too_large(self.limits));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|error| Refusal::new("invalid_utf8", "this is not UTF-8").at(error.valid_up_to()))?;
        let checked = Checked {
            end: checked.end - start,
            ..*checked
        };
        RawJson::from_checked(text, 0, &checked, self.limits.nesting_max)
    }

    /// The records that share a line, with what is damaged between them.
    fn pieces(&mut self, text: Range<usize>) {
        let line = &self.bytes[..text.end];
        let mut at = text.start;
        while at < text.end {
            let fault = match check(line, at) {
                Ok(checked) if line[at] == b'{' => {
                    let record = self.judged(&checked, at);
                    self.hand_out(at..checked.end, record);
                    at = self.behind(checked.end..text.end);
                    continue;
                }
                Ok(_) => return self.refuse(at..text.end, not_an_object()),
                Err(fault) => fault,
            };
            let Fault::Syntax { at: wrong, .. } = fault;
            let next = resume::after(line, at, wrong).unwrap_or(text.end);
            let refusal = Refusal::from(fault);
            let byte = wrong - at;
            self.refuse(at..next, refusal.at(byte));
            at = next;
        }
    }

    /// Behind what may stand between records that share a line.
    fn behind(&self, rest: Range<usize>) -> usize {
        let bytes = &self.bytes[rest.clone()];
        let lone = bytes
            .iter()
            .position(|byte| !is_padding(*byte) && *byte != b',')
            .unwrap_or(bytes.len());
        rest.start + lone
    }

    /// An object that begins here and goes on over the lines that follow, up to its end or to where something else
    /// begins; `None` if it cannot go on.
    fn over_lines(&self, start: usize) -> Option<Lines> {
        let mut nest = Brackets::default();
        let mut at = start;
        let mut first = true;
        loop {
            let Some(line) = self.line_from(at) else {
                return Some(self.last_line(start, at, nest));
            };
            // Inside an object that somebody printed, what belongs to it is indented.
            let begins = self.bytes[line.start..].starts_with(b"{");
            if !first && begins {
                return Some(Lines::Broken {
                    start,
                    end: line.start,
                });
            }
            match nest.pass(&self.bytes[line.clone()]) {
                Passed::Ended(bytes) => {
                    let end = line.start + bytes;
                    return Some(Lines::Ended { start, end });
                }
                Passed::Open => {}
                // A line that ends inside a string was cut: it is nobody's beginning.
                Passed::Broken if first => return None,
                Passed::Broken => {
                    return Some(Lines::Broken {
                        start,
                        end: self.next_beginning(line.end),
                    });
                }
            }
            if line.end - start > self.limits.event_bytes_max {
                return Some(Lines::Broken {
                    start,
                    end: self.next_beginning(line.end),
                });
            }
            (at, first) = (line.end, false);
            if at == self.bytes.len() && self.follows == Follows::Nothing {
                return Some(Lines::Broken { start, end: at });
            }
        }
    }

    /// An object over lines of which the last, at `at`, has no end yet.
    fn last_line(&self, start: usize, at: usize, mut nest: Brackets) -> Lines {
        if self.follows == Follows::Perhaps
            && let Passed::Ended(bytes) = nest.pass(&self.bytes[at..])
            && padding(&self.bytes[at + bytes..]) == self.bytes.len() - at - bytes
        {
            return Lines::Ended {
                start,
                end: at + bytes,
            };
        }
        Lines::Unended { start }
    }

    /// The first line from here on that begins with a record.
    fn next_beginning(&self, from: usize) -> usize {
        let mut at = from;
        while let Some(line) = self.line_from(at) {
            let text = self.stripped(line.clone());
            if line.start == text.start && self.bytes[line.start..].starts_with(b"{") {
                return at;
            }
            at = line.end;
        }
        at
    }

    /// Deals with an object over several lines; whether it could.
    fn object(&mut self, lines: Lines) -> bool {
        match lines {
            Lines::Unended { start } => {
                if self.bytes.len() - start <= self.limits.event_bytes_max {
                    return false;
                }
                self.refuse(start..self.bytes.len(), too_large(self.limits));
                self.passing = true;
            }
            Lines::Broken { start, end } if self.is_one_line(start, end) => {
                let text = self.stripped(start..end);
                self.pieces(text);
                self.go_to(end);
            }
            Lines::Broken { start, end } => {
                let refusal = match check(&self.bytes[..end], start) {
                    Err(fault) => {
                        let Fault::Syntax { at, .. } = fault;
                        Refusal::from(fault).at(at - start)
                    }
                    Ok(_) => too_large(self.limits),
                };
                self.refuse(start..end, refusal);
                self.go_to(end);
            }
            Lines::Ended { start, end } => {
                let line_end = self.line_from(end).map_or(end, |line| line.end);
                match check(&self.bytes[..end], start) {
                    Ok(checked) => {
                        let record = self.judged(&checked, start);
                        self.hand_out(start..end, record);
                        self.go_to(end);
                        let rest = self.stripped(self.behind(end..line_end)..line_end);
                        self.pieces(rest);
                    }
                    Err(fault) => {
                        let Fault::Syntax { at, .. } = fault;
                        self.refuse(start..end, Refusal::from(fault).at(at - start));
                    }
                }
                self.go_to(line_end);
            }
        }
        true
    }

    fn is_one_line(&self, start: usize, end: usize) -> bool {
        memchr::memchr(b'\n', &self.bytes[start..end]).is_none_or(|at| start + at + 1 == end)
    }

    fn refuse(&mut self, range: Range<usize>, refusal: Refusal) {
        self.hand_out(range, Err(refusal));
    }

    fn hand_out(&mut self, range: Range<usize>, record: Result<RawJson<'b>, Refusal>) {
        let line = self.line + count_lines(&self.bytes[self.next..range.start]);
        (self.each)(Found {
            at: self.at + range.start as u64,
            line,
            bytes: &self.bytes[range],
            record,
        });
    }

    fn go_to(&mut self, to: usize) {
        self.line += count_lines(&self.bytes[self.next..to]);
        self.next = to;
    }
}

/// Where an object that begins on one line and does not end there leads to.
enum Lines {
    /// Its end has not come.
    Unended {
        start: usize,
    },
    Ended {
        start: usize,
        end: usize,
    },
    /// It has none: something else begins first, or it is no JSON.
    Broken {
        start: usize,
        end: usize,
    },
}

/// Which brackets are open, at a glance: what is between them is not looked at.
#[derive(Default)]
struct Brackets {
    depth: usize,
}

enum Passed {
    /// The outermost bracket closed; behind so many bytes.
    Ended(usize),
    Open,
    /// The line ends inside a string.
    Broken,
}

impl Brackets {
    fn pass(&mut self, line: &[u8]) -> Passed {
        let mut at = 0;
        while at < line.len() {
            match line[at] {
                b'"' => match string_end(line, at) {
                    Some(end) => at = end,
                    None => return Passed::Broken,
                },
                b'{' | b'[' => {
                    self.depth += 1;
                    at += 1;
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    at += 1;
                    if self.depth == 0 {
                        return Passed::Ended(at);
                    }
                }
                _ => at += 1,
            }
        }
        Passed::Open
    }
}

/// Behind the closing quote of the string that opens at `open`, if it closes on this line.
fn string_end(line: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', line.get(at..)?)?;
        if line[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// Bytes before a record that say nothing: white space, zeros, byte-order marks.
fn padding(bytes: &[u8]) -> usize {
    let mut at = 0;
    loop {
        if bytes[at..].starts_with(b"\xEF\xBB\xBF") {
            at += 3;
        } else if bytes.get(at).copied().is_some_and(is_padding) {
            at += 1;
        } else {
            return at;
        }
    }
}

const fn is_padding(byte: u8) -> bool {
    is_space(byte) || byte == 0
}

fn count_lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

fn too_large(limits: &Limits) -> Refusal {
    Refusal::new(
        "event_too_large",
        format!(
            "the record is larger than the {} bytes that are allowed: raise event_bytes_max",
            limits.event_bytes_max
        ),
    )
}

fn not_an_object() -> Refusal {
    Refusal::new("not_an_event", "a record must be a JSON object")
}
