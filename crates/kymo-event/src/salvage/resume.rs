//! Where the next record begins on a line whose record is damaged.
//!
//! Never inside the damaged one: an object within it is no record of its own.

use crate::json::check;

/// So many places are looked at behind a fault: a line of nothing but brackets is no reason to read it again and again.
const PLACES_MAX: usize = 16;

/// The beginning of the next whole record behind the one that begins at `start` and goes wrong at `wrong`.
pub(super) fn after(line: &[u8], start: usize, wrong: usize) -> Option<usize> {
    if wrong >= line.len() {
        return swallowed(line, start);
    }
    at_fault(line, start, wrong).or_else(|| behind(line, wrong))
}

/// A record that was cut short is followed by the next at once: by a bracket where none may stand, or one that the
/// string which was cut took for its own.
fn at_fault(line: &[u8], start: usize, wrong: usize) -> Option<usize> {
    let place = if line[wrong] == b'{' {
        wrong
    } else {
        let quote = line[..wrong].iter().rposition(|byte| *byte == b'"')?;
        let before = line[..quote].trim_ascii_end();
        before.len().checked_sub(1).filter(|last| line[*last] == b'{')?
    };
    (place > start && begins_record(line, place)).then_some(place)
}

/// Behind the end of an object that comes later.
fn behind(line: &[u8], wrong: usize) -> Option<usize> {
    let places = memchr::memchr_iter(b'{', &line[wrong..]).map(|at| wrong + at);
    places
        .filter(|place| line[..*place].trim_ascii_end().ends_with(b"}"))
        .take(PLACES_MAX)
        .find(|place| begins_record(line, *place))
}

/// A record that was cut short where a value must follow takes the next one for that value. It shows by beginning as
/// records of this writer do.
fn swallowed(line: &[u8], start: usize) -> Option<usize> {
    let name = first_name(&line[start..])?;
    let places = memchr::memmem::find_iter(&line[start + 1..], name).map(|at| start + 1 + at);
    places
        .take(PLACES_MAX)
        .find(|place| check(line, *place).is_ok_and(|checked| checked.end == line.len()))
}

/// The opening bracket and the first name, with its quotes.
fn first_name(record: &[u8]) -> Option<&[u8]> {
    let open = record
        .iter()
        .position(|byte| *byte == b'"')
        .filter(|_| record[0] == b'{')?;
    let close = open + 1 + record[open + 1..].iter().position(|byte| *byte == b'"')?;
    record[1..open].trim_ascii().is_empty().then(|| &record[..=close])
}

/// Whether a whole object begins here, and behind it nothing, or something else that begins or is separated.
fn begins_record(line: &[u8], place: usize) -> bool {
    check(line, place).is_ok_and(|checked| {
        let rest = line[checked.end..].trim_ascii_start();
        matches!(rest.first(), None | Some(b'{' | b',' | 0))
    })
}
