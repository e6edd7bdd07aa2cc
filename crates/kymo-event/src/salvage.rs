//! Finds the records in a file of JSON lines that many programs append to, whatever befell it.
//!
//! Such files are rarely clean: two records share a line, one was cut short where the next begins, an object was
//! printed over many lines, zeros or a byte-order mark stand before it, a quote is lost. Each costs at most the damaged
//! record. [`crate::Records`] is for bodies, where a client is told and can mend what it sends; here nobody can, so
//! what is good is found, and what is not is named with its place.
//!
//! What is found does not depend on the pieces in which the file comes in.

use std::ops::Range;

use crate::{
    Limits, RawJson, Refusal,
    json::{Checked, Fault, check, is_space},
};

mod resume;

/// So much is kept of what is damaged, to show it.
pub const HEAD_BYTES: usize = 400;

/// An object beyond this that has no end yet is looked at again only when it grew by an eighth, or may have ended.
const LOOK_AGAIN_BYTES: usize = 64 << 10;

/// Something in the file.
#[derive(Debug)]
pub struct Found<'a> {
    /// Where it begins, in bytes from the beginning of the file.
    pub at: u64,
    /// On which line that is, from 1.
    pub line: u64,
    /// A record as it stands there; of what is none its beginning, [`HEAD_BYTES`] at most.
    pub bytes: &'a [u8],
    /// The record, always an object, or why it is none. The byte in a refusal counts from `at`.
    pub record: Result<RawJson<'a>, Refusal>,
}

/// Reads a file from one place on, as its bytes come.
#[derive(Debug)]
pub struct Salvage {
    limits: Limits,
    /// What was not taken yet.
    bytes: Vec<u8>,
    place: Place,
    damage: Option<Damage>,
    /// Behind a record, on its line: a comma may follow.
    behind_record: bool,
    /// So many bytes had no end when they were looked at.
    unended: usize,
}

/// A byte of the file and the line it is on.
#[derive(Clone, Copy, Debug)]
struct Place {
    at: u64,
    line: u64,
}

/// What is damaged, while its end is looked for.
#[derive(Debug)]
struct Damage {
    place: Place,
    head: Vec<u8>,
    refusal: Refusal,
    until: Until,
}

/// Where something damaged ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Until {
    LineEnd,
    /// Where the next record begins. Inside an object that somebody printed, what belongs to it is indented, so a line
    /// that begins with a bracket is none of it.
    Beginning,
}

impl Salvage {
    /// Begins at a byte where a record may begin, on this line (from 1).
    #[must_use]
    pub const fn new(at: u64, line: u64, limits: Limits) -> Self {
        Self {
            limits,
            bytes: Vec::new(),
            place: Place { at, line },
            damage: None,
            behind_record: false,
            unended: 0,
        }
    }

    /// From where on nothing was handed out yet: the byte and its line. Another process may go on from here.
    #[must_use]
    pub fn position(&self) -> (u64, u64) {
        let place = self.damage.as_ref().map_or(self.place, |damage| damage.place);
        (place.at, place.line)
    }

    /// Where the next bytes are to be read.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.place.at + self.bytes.len() as u64
    }

    /// Room for the next bytes, at the end of those that were not taken yet.
    pub fn room(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Hands out what can be told from the bytes that are there, in their order. `is_end`: no more will come, so that
    /// what is not whole now never will be.
    pub fn take(&mut self, is_end: bool, each: &mut dyn FnMut(Found<'_>)) {
        if !is_end && self.is_hardly_longer() {
            return;
        }
        let mut walk = Walk {
            bytes: &self.bytes,
            limits: &self.limits,
            base: self.place.at,
            line: self.place.line,
            next: 0,
            damage: self.damage.take(),
            behind_record: self.behind_record,
            is_end,
            each,
        };
        while walk.step() {}
        let taken = walk.next;
        self.place.line = walk.line;
        self.behind_record = walk.behind_record;
        self.damage = walk.damage;
        self.place.at += taken as u64;
        self.bytes.drain(..taken);
        self.unended = self.bytes.len();
    }

    fn is_hardly_longer(&self) -> bool {
        self.unended > LOOK_AGAIN_BYTES
            && self.bytes.len() < self.unended + self.unended / 8
            && self.bytes.trim_ascii_end().last() != Some(&b'}')
    }
}

/// One pass over what is there.
struct Walk<'b, 'f> {
    bytes: &'b [u8],
    limits: &'b Limits,
    /// Where `bytes` begin in the file.
    base: u64,
    /// The line on which `next` is.
    line: u64,
    next: usize,
    damage: Option<Damage>,
    behind_record: bool,
    is_end: bool,
    each: &'f mut dyn FnMut(Found<'_>),
}

impl<'b> Walk<'b, '_> {
    /// Deals with what is next; whether it could.
    fn step(&mut self) -> bool {
        if let Some(damage) = self.damage.take() {
            return self.pass(damage);
        }
        let start = self.next + padding(&self.bytes[self.next..]);
        let is_same_line = !self.bytes[self.next..start].contains(&b'\n');
        self.go_to(start);
        let is_behind_record = std::mem::take(&mut self.behind_record) && is_same_line;
        match self.bytes.get(start) {
            None => {
                self.behind_record = is_behind_record;
                false
            }
            Some(b',') if is_behind_record => {
                self.go_to(start + 1);
                true
            }
            Some(b'{') => self.object(start),
            Some(_) => self.rubbish(start),
        }
    }

    /// An object begins here.
    fn object(&mut self, start: usize) -> bool {
        let (wrong, refusal) = match check(self.bytes, start) {
            Ok(checked) => match self.beginning_in(start..checked.end) {
                None => return self.record(start, &checked),
                Some(place) => (place, begun_again()),
            },
            Err(Fault::Syntax { at, what }) => (at, Refusal::from(Fault::Syntax { at, what })),
        };
        let refusal = refusal.at(wrong - start);
        // A line may begin with zeros before its bracket.
        let seen = wrong + marks(&self.bytes[wrong..]);
        if let Some(place) = self.beginning_in(start..self.bytes.len().min(seen + 1)) {
            return self.cut(start, place, refusal);
        }
        if seen < self.bytes.len() || (self.is_end && wrong < seen) {
            return self.faulty(start, wrong, refusal);
        }
        if self.is_end {
            return self.cut(start, self.bytes.len(), refusal);
        }
        if self.bytes.len() - start > self.limits.event_bytes_max {
            return self.begin_damage(start, self.bytes.len(), too_large(self.limits), Until::Beginning);
        }
        false
    }

    fn record(&mut self, start: usize, checked: &Checked) -> bool {
        let record = self.judged(checked, start);
        (self.each)(Found {
            at: self.base + start as u64,
            line: self.line,
            bytes: &self.bytes[start..checked.end],
            record,
        });
        self.go_to(checked.end);
        self.behind_record = true;
        true
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

    /// An object that has no end before something else begins, at `end`.
    fn cut(&mut self, start: usize, end: usize, refusal: Refusal) -> bool {
        let text = &self.bytes[start..end];
        let text = &text[..text
            .iter()
            .rposition(|byte| !is_space(*byte) && *byte != 0)
            .map_or(0, |last| last + 1)];
        let swallowed = (!text.contains(&b'\n'))
            .then(|| resume::swallowed(text))
            .flatten();
        self.refuse(start, swallowed.map_or(end, |at| start + at), refusal)
    }

    /// An object that is no JSON at `wrong`.
    fn faulty(&mut self, start: usize, wrong: usize, refusal: Refusal) -> bool {
        if let Some(newline) = self.bytes[start..wrong].iter().rposition(|byte| *byte == b'\n') {
            return self.begin_damage(start, start + newline, refusal, Until::Beginning);
        }
        let Some(end) = self.line_end(wrong) else {
            return self.unended_line(start, refusal);
        };
        let next = resume::after(&self.bytes[start..end], wrong - start);
        self.refuse(start, next.map_or(end, |at| start + at), refusal)
    }

    /// Something begins here that is no object.
    fn rubbish(&mut self, start: usize) -> bool {
        let Some(end) = self.line_end(start) else {
            return self.unended_line(start, not_json());
        };
        let line = &self.bytes[start..end];
        let refusal = match check(line, 0) {
            Ok(_) => Refusal::new("not_an_event", "a record must be a JSON object"),
            Err(Fault::Syntax { at, what }) => Refusal::from(Fault::Syntax { at, what }),
        };
        let next = resume::first(line);
        self.refuse(start, next.map_or(end, |at| start + at), refusal)
    }

    /// What is damaged has no end of line yet.
    fn unended_line(&mut self, start: usize, refusal: Refusal) -> bool {
        let is_long = self.bytes.len() - start > self.limits.event_bytes_max;
        is_long && self.begin_damage(start, self.bytes.len(), refusal, Until::LineEnd)
    }

    /// The end of the line on which this byte is, without its line feed; `None` if it has not come.
    fn line_end(&self, at: usize) -> Option<usize> {
        let newline = memchr::memchr(b'\n', &self.bytes[at..]).map(|found| at + found);
        newline.or_else(|| self.is_end.then_some(self.bytes.len()))
    }

    /// The first line behind the first of these bytes that begins with a bracket: the bracket.
    fn beginning_in(&self, range: Range<usize>) -> Option<usize> {
        memchr::memchr_iter(b'\n', &self.bytes[range.clone()])
            .map(|newline| range.start + newline + 1)
            .map(|line| line + marks(&self.bytes[line..range.end]))
            .find(|start| *start < range.end && self.bytes[*start] == b'{')
    }

    /// What begins at `start` is damaged; its end is looked for behind `from`.
    fn begin_damage(&mut self, start: usize, from: usize, refusal: Refusal, until: Until) -> bool {
        let mut damage = Damage {
            place: Place {
                at: self.base + start as u64,
                line: self.line,
            },
            head: Vec::new(),
            refusal,
            until,
        };
        damage.keep(&self.bytes[start..from]);
        self.go_to(from);
        self.damage = Some(damage);
        true
    }

    /// Goes on behind what is damaged; whether its end is here.
    fn pass(&mut self, mut damage: Damage) -> bool {
        let (end, is_over) = match damage.until {
            Until::LineEnd => self
                .line_end(self.next)
                .map_or((self.bytes.len(), false), |end| (end, true)),
            Until::Beginning => self.next_beginning(),
        };
        damage.keep(&self.bytes[self.next..end]);
        self.go_to(end);
        if is_over {
            self.tell(damage);
        } else {
            self.damage = Some(damage);
        }
        is_over
    }

    /// Where the next record begins, and whether that is certain; else as far as none does.
    fn next_beginning(&self) -> (usize, bool) {
        let mut at = self.next;
        loop {
            let Some(end) = self.line_end(at) else {
                // A line that has no end yet is looked at when it has, if it can be held so long.
                let is_long = self.bytes.len() - at > self.limits.event_bytes_max;
                return (if is_long { self.bytes.len() } else { at }, false);
            };
            if let Some(place) = resume::behind(&self.bytes[at..end], 0) {
                return (at + place, true);
            }
            if end == self.bytes.len() {
                return (end, true);
            }
            let line = end + 1;
            let start = line + marks(&self.bytes[line..]);
            match self.bytes.get(start) {
                Some(b'{') => return (start, true),
                None if !self.is_end => return (end, false),
                _ => at = line,
            }
        }
    }

    fn refuse(&mut self, start: usize, end: usize, refusal: Refusal) -> bool {
        self.begin_damage(start, end, refusal, Until::LineEnd);
        let damage = self.damage.take().expect("it has just begun");
        self.tell(damage);
        true
    }

    fn tell(&mut self, damage: Damage) {
        (self.each)(Found {
            at: damage.place.at,
            line: damage.place.line,
            bytes: damage.head.trim_ascii_end(),
            record: Err(damage.refusal),
        });
    }

    fn go_to(&mut self, to: usize) {
        self.line += memchr::memchr_iter(b'\n', &self.bytes[self.next..to]).count() as u64;
        self.next = to;
    }
}

impl Damage {
    fn keep(&mut self, bytes: &[u8]) {
        let room = HEAD_BYTES - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

/// Bytes before a record that say nothing: white space, zeros, byte-order marks.
fn padding(bytes: &[u8]) -> usize {
    leading(bytes, |byte| is_space(byte) || byte == 0)
}

/// The same where white space says something.
fn marks(bytes: &[u8]) -> usize {
    leading(bytes, |byte| byte == 0)
}

fn leading(bytes: &[u8], is_one: impl Fn(u8) -> bool) -> usize {
    let mut at = 0;
    loop {
        if bytes[at..].starts_with(b"\xEF\xBB\xBF") {
            at += 3;
        } else if bytes.get(at).copied().is_some_and(&is_one) {
            at += 1;
        } else {
            return at;
        }
    }
}

fn too_large(limits: &Limits) -> Refusal {
    let message = format!(
        "the record is larger than the {} bytes that are allowed: raise event_bytes_max",
        limits.event_bytes_max
    );
    Refusal::new("event_too_large", message)
}

fn begun_again() -> Refusal {
    Refusal::new(
        "invalid_json",
        "this is not JSON: another record begins before this one ends",
    )
}

fn not_json() -> Refusal {
    Refusal::new("invalid_json", "this is not JSON: a record must be a JSON object")
}
