//! Places in the ledger as requests name them: a seq, a moment, `-5m`, `now`, `start`.
use kymo_event::{LedgerId, Micros, Seq};
use kymo_hub::From;

use crate::error::ApiError;

/// Units of a duration, in microseconds.
const UNITS: &[(&str, i64)] = &[
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
    ("w", 604_800_000_000),
];

/// Reads `from` or `to`; `ledger` is where a seq came from, if the client said so.
pub(crate) fn parse(name: &str, text: &str, ledger: Option<LedgerId>) -> Result<From, ApiError> {
    match text {
        "now" => return Ok(From::Now),
        "start" => return Ok(From::Start),
        _ => {}
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        return seq(name, text).map(|seq| From::Seq(seq, ledger));
    }
    if let Some(duration) = text.strip_prefix('-') {
        return ago(name, duration);
    }
    time(name, text)
}

/// A position that is a number.
fn seq(name: &str, text: &str) -> Result<Seq, ApiError> {
    text.parse().map_err(|_| {
        ApiError::parameter(
            name,
            format!("`{name}` is no seq: seqs begin at 1 and end below 2^64"),
        )
    })
}

/// A span of time before now: `5m`, `90s`, `2h`, `1d`.
pub(crate) fn ago(name: &str, text: &str) -> Result<From, ApiError> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let micros = UNITS
        .iter()
        .find(|(known, _)| *known == unit)
        .and_then(|(_, micros)| number.parse::<i64>().ok()?.checked_mul(*micros));
    micros.map(From::Ago).ok_or_else(|| {
        ApiError::parameter(
            name,
            format!("`{name}`: {text} is no duration; write a number and ms, s, m, h, d or w, such as 5m"),
        )
    })
}

/// A moment.
pub(crate) fn time(name: &str, text: &str) -> Result<From, ApiError> {
    Micros::parse(text).map(From::Time).map_err(|error| {
        ApiError::parameter(
            name,
            format!("`{name}` is a seq, an RFC 3339 time, a time before now such as -5m, `now` or `start`; {text} is {error}"),
        )
    })
}

/// Where a stream that was cut off goes on: behind the last id it saw. 0 means that it saw nothing.
pub(crate) fn behind(last_id: &str, ledger: Option<LedgerId>) -> Result<From, ApiError> {
    let last: u64 = last_id.trim().parse().map_err(|_| {
        ApiError::parameter(
            "last_event_id",
            format!("{last_id} is no event id of ours; ids are seqs"),
        )
    })?;
    let next = last.checked_add(1).and_then(Seq::new);
    let next = next.ok_or_else(|| {
        ApiError::parameter("last_event_id", "there is nothing behind the last possible seq")
    })?;
    Ok(From::Seq(next, ledger))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<From, &'static str> {
        parse("from", text, None).map_err(|error| error.code)
    }

    fn at(seq: u64) -> From {
        From::Seq(Seq::new(seq).expect("a seq"), None)
    }

    #[test]
    fn seqs_durations_and_words_are_places() {
        assert_eq!(read("17"), Ok(at(17)));
        assert_eq!(read("now"), Ok(From::Now));
        assert_eq!(read("start"), Ok(From::Start));
        assert_eq!(read("-5m"), Ok(From::Ago(300_000_000)));
        assert_eq!(read("-250ms"), Ok(From::Ago(250_000)));
        assert_eq!(read("-2w"), Ok(From::Ago(1_209_600_000_000)));
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in [
            "0",
            "18446744073709551616",
            "-",
            "-5",
            "-m",
            "-5y",
            "-99999999999999999999d",
            "-5 m",
        ] {
            assert_eq!(read(text), Err("invalid_parameter"), "{text}");
        }
    }

    #[test]
    fn a_stream_resumes_behind_the_last_id_also_if_it_saw_nothing() {
        assert_eq!(behind("41", None), Ok(at(42)));
        assert_eq!(behind("0", None), Ok(at(1)));
        for text in ["", "x", "-1", "18446744073709551615"] {
            assert!(behind(text, None).is_err(), "{text}");
        }
    }
}
