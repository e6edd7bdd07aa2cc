//! Any bytes as a spool, and any line as an event to be spooled.

use std::{fs, path::Path};

use kymo_event::{
    Event, Limits, RawJson,
    dialects::{Dialect, Native},
};

use super::{taking::Taking, writer::with_identity};

/// A spool of these bytes is read line by line, nothing is left out, and what is refused is named.
pub fn spool(folder: &Path, bytes: &[u8]) {
    let path = folder.join("emitter.1.taking");
    fs::write(&path, bytes).expect("the folder can be written");
    let whole = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    assert_eq!(lines(&path, folder, false), obvious(&bytes[..whole]));
    assert_eq!(lines(&path, folder, true), obvious(bytes));
    let lines = bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|line| std::str::from_utf8(line).ok());
    lines.for_each(writes);
}

/// Number, place, length and event of each line that is not blank.
type Found = (u64, u64, u64, Option<Event<'static>>);

fn lines(path: &Path, folder: &Path, last: bool) -> Vec<Found> {
    let taking = Taking::open(path, folder).expect("the file can be read");
    let mut taking = taking.expect("nobody else has it");
    let mut all = Vec::new();
    loop {
        let (lines, ended) = taking.read_batch(last).expect("the file can be read");
        all.extend(
            lines
                .into_iter()
                .map(|line| (line.number, line.at, line.bytes, line.event.ok())),
        );
        if ended {
            return all;
        }
    }
}

fn obvious(bytes: &[u8]) -> Vec<Found> {
    let (mut at, mut number, mut all) = (0, 0, Vec::new());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let length = line.len() as u64;
        number += 1;
        if !line.trim_ascii().is_empty() {
            let text = std::str::from_utf8(line).ok();
            let text = text.map(|text| text.trim_matches([' ', '\t', '\r', '\n', '\u{feff}']));
            let mut event = text.and_then(read);
            if let Some(event) = &mut event {
                event
                    .id
                    .get_or_insert_with(|| format!("emitter.1:{number}").into());
            }
            all.push((number, at, length, event));
        }
        at += length;
    }
    all
}

fn read(record: &str) -> Option<Event<'static>> {
    let record = RawJson::parse(record, Limits::default().nesting_max).ok()?;
    Native
        .read(record, &Limits::default())
        .ok()
        .map(Event::into_owned)
}

/// What the writer makes of a record is the same event with an identity.
fn writes(record: &str) {
    let Ok(line) = with_identity(record) else {
        return;
    };
    assert!(!line.contains(['\r', '\n']));
    let (Some(event), spooled) = (read(record), read(&line)) else {
        return;
    };
    let spooled = spooled.expect("a good event is spooled as one");
    if event.id.is_some() {
        assert_eq!(spooled, event);
        return;
    }
    let (id, time) = (spooled.id.clone(), event.time.or(spooled.time));
    assert!(id.is_some() && time.is_some());
    assert_eq!(spooled, Event { id, time, ..event });
}
