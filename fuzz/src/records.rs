//! Bodies cut into records: every record in order, whole, and where it says it is.

use kymo_event::{Limits, Record, RecordFormat, Records};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// Any body.
pub(crate) fn run(body: &[u8]) {
    let limits = Limits {
        event_bytes_max: 4096,
        nesting_max: 64,
        ..Limits::default()
    };
    lines(body, &limits);
    json(body, &limits);
}

fn records<'a>(body: &'a [u8], format: RecordFormat, limits: &Limits) -> Option<Vec<Record<'a>>> {
    let blank = without_mark(body).iter().all(|byte| is_space(*byte));
    match Records::new(body, format, limits) {
        Ok(records) => {
            let records: Vec<_> = records.collect();
            records
                .iter()
                .enumerate()
                .for_each(|(index, record)| placed(body, index, record));
            assert!(
                records
                    .windows(2)
                    .all(|pair| pair[0].byte < pair[1].byte && pair[0].line <= pair[1].line)
            );
            Some(records)
        }
        Err(refusal) => {
            assert_eq!((refusal.code, blank), ("empty_body", true));
            None
        }
    }
}

/// A record says where it is, and a refusal where the fault is.
fn placed(body: &[u8], index: usize, record: &Record<'_>) {
    assert_eq!(record.index, index);
    match &record.value {
        Ok(value) => assert!(body[record.byte..].starts_with(value.as_str().as_bytes())),
        Err(refusal) => {
            let at = refusal.byte.expect("a refusal of a record has a place");
            assert!((record.byte..=body.len()).contains(&at));
        }
    }
}

/// Against cutting at line feeds.
fn lines(body: &[u8], limits: &Limits) {
    let Some(found) = records(body, RecordFormat::Lines, limits) else {
        return;
    };
    let cut = without_mark(body).split(|byte| *byte == b'\n').enumerate();
    let expected = cut
        .map(|(number, line)| (number + 1, trimmed(line)))
        .filter(|(_, line)| !line.is_empty());
    let mut found = found.into_iter();
    for (number, line) in expected {
        let record = found.next().expect("every line is a record");
        assert_eq!(record.line, number);
        assert!(body[record.byte..].starts_with(line));
        let is_json = serde_json::from_slice::<IgnoredAny>(line).is_ok() && std::str::from_utf8(line).is_ok();
        match &record.value {
            Ok(value) => assert!(is_json && value.as_str().as_bytes() == line),
            Err(refusal) => judged(refusal.code, is_json),
        }
    }
    assert!(found.next().is_none());
}

/// Against serde_json where the body is one document.
fn json(body: &[u8], limits: &Limits) {
    let Some(found) = records(body, RecordFormat::Json, limits) else {
        return;
    };
    let Ok(text) = std::str::from_utf8(without_mark(body)) else {
        return;
    };
    if let Ok(values) = serde_json::from_str::<Vec<&RawValue>>(text) {
        assert_eq!(found.len(), values.len());
        for (record, value) in found.iter().zip(values) {
            assert!(body[record.byte..].starts_with(value.get().as_bytes()));
            match &record.value {
                Ok(found) => assert_eq!(found.as_str(), value.get()),
                Err(refusal) => judged(refusal.code, true),
            }
        }
    } else if serde_json::from_str::<IgnoredAny>(text).is_ok() {
        assert_eq!(found.len(), 1);
        if let Err(refusal) = &found[0].value {
            judged(refusal.code, true);
        }
    } else if text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('[') {
        assert!(
            found.len() == 1 && found[0].value.is_err(),
            "all of a broken array is refused"
        );
    }
}

/// JSON is refused for its size and depth alone.
fn judged(code: &str, is_json: bool) {
    match code {
        "too_deep" => assert!(is_json),
        "event_too_large" => {}
        _ => assert!(!is_json, "JSON was refused as {code}"),
    }
}

fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body)
}

fn trimmed(line: &[u8]) -> &[u8] {
    let start = line.iter().take_while(|byte| is_space(**byte)).count();
    let end = line.iter().rev().take_while(|byte| is_space(**byte)).count();
    line.get(start..line.len() - end).unwrap_or_default()
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}
