//! Where the next record begins on a line whose record is damaged.
//!
//! Never inside the damaged one: an object within it is no record of its own. All of this looks at one line.

use super::{marks, padding};
use crate::json::check;

/// So many places are looked at: a line of nothing but brackets is no reason to read it again and again.
const PLACES_MAX: usize = 16;
/// So many records that commas separate are looked at to tell them from the elements of a list.
const LISTED_MAX: usize = 64;

/// The beginning of the next whole record behind the one that the line begins with, which goes wrong at `wrong`.
pub(super) fn after(line: &[u8], wrong: usize) -> Option<usize> {
    if wrong >= line.len() {
        return swallowed(line);
    }
    at_fault(line, wrong).or_else(|| behind(line, wrong))
}

/// A record that was cut short is followed by the next at once: by a bracket where none may stand, if need be behind
/// zeros, or one that the string which was cut took for its own.
fn at_fault(line: &[u8], wrong: usize) -> Option<usize> {
    let direct = wrong + marks(&line[wrong..]);
    let place = if line.get(direct) == Some(&b'{') {
        direct
    } else {
        let quote = line[..wrong].iter().rposition(|byte| *byte == b'"')?;
        let before = line[..quote].trim_ascii_end();
        before.len().checked_sub(1).filter(|last| before[*last] == b'{')?
    };
    (place > 0 && begins_record(line, place)).then_some(place)
}

/// Behind the end of an object that comes later.
pub(super) fn behind(line: &[u8], wrong: usize) -> Option<usize> {
    let places = memchr::memchr_iter(b'{', &line[wrong..]).map(|at| wrong + at);
    places
        .filter(|place| is_behind_end(&line[..*place]))
        .take(PLACES_MAX)
        .find(|place| begins_record(line, *place))
}

/// Whether what ends here ends with an object, and perhaps zeros or white space.
fn is_behind_end(before: &[u8]) -> bool {
    let last = before
        .iter()
        .rposition(|byte| !byte.is_ascii_whitespace() && *byte != 0);
    last.is_some_and(|last| before[last] == b'}')
}

/// The first record on a line that begins with none.
pub(super) fn first(line: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'{', line)
        .take(PLACES_MAX)
        .find(|place| begins_record(line, *place))
}

/// A record that was cut short where a value must follow takes the next one for that value. It shows by beginning as
/// records of this writer do. (A record that only lost its last bracket, and holds an object that begins like it, looks
/// the same: then that object is taken for a record.)
pub(super) fn swallowed(line: &[u8]) -> Option<usize> {
    let name = first_name(line)?;
    memchr::memmem::find_iter(&line[1..], name)
        .map(|at| at + 1)
        .take(PLACES_MAX)
        .find(|place| check(line, *place).is_ok_and(|checked| checked.end == line.len()))
}

/// The opening bracket and the first name, with its quotes.
fn first_name(record: &[u8]) -> Option<&[u8]> {
    let open = record.iter().position(|byte| *byte == b'"')?;
    let close = open + 1 + record[open + 1..].iter().position(|byte| *byte == b'"')?;
    let is_object = record[0] == b'{' && record[1..open].trim_ascii().is_empty();
    is_object.then(|| &record[..=close])
}

/// Whether a whole object begins here, and behind it nothing, or something else that begins. What commas separate are
/// records only if nothing else follows to the end of the line: else they are in a list.
fn begins_record(line: &[u8], place: usize) -> bool {
    let mut at = place;
    for _ in 0..LISTED_MAX {
        let Ok(checked) = check(line, at) else {
            return false;
        };
        at = checked.end + padding(&line[checked.end..]);
        match line.get(at) {
            None | Some(b'{') => return true,
            Some(b',') => at += 1 + padding(&line[at + 1..]),
            Some(_) => return false,
        }
        match line.get(at) {
            None => return true,
            Some(b'{') => {}
            Some(_) => return false,
        }
    }
    false
}
