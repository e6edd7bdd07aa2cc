//! Moments as programs of all kinds write them, and as a form writes them back.
//!
//! A text without a zone is taken as UTC and said to be so: nothing is shifted by a zone that somebody guessed. What is
//! no moment, or the moment of a clock that was never set, gives none at all.
use crate::{
    Micros,
    json::{Kind, Member},
    time::Rfc3339,
};

/// A moment that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) moment: Micros,
    /// The text has no zone.
    pub(super) inferred: bool,
}

/// How a form writes moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dialects) enum TimeForm {
    /// `2026-02-14T19:01:23.456000+00:00`, without a fraction where it is zero.
    Iso,
    /// Milliseconds since 1970, as a number.
    Millis,
}

/// 1971-01-01: what claims to be earlier comes from a clock that was never set, or is no moment but a duration.
const BELIEVED_FROM: Micros = Micros(31_536_000 * 1_000_000);

/// Reads a number or a text.
pub(super) fn read(member: &Member<'_>) -> Option<Read> {
    let read = match member.kind() {
        Kind::Number => certain(Micros::from_epoch_number(member.value().as_str()).ok()?),
        Kind::String => read_text(&member.text()?)?,
        _ => return None,
    };
    (read.moment >= BELIEVED_FROM).then_some(read)
}

const fn certain(moment: Micros) -> Read {
    let inferred = false;
    Read { moment, inferred }
}

fn read_text(text: &str) -> Option<Read> {
    match Rfc3339::parse(text) {
        Ok(time) => Some(certain(time.moment)),
        Err(_) => read_loose(text.trim()),
    }
}

/// What is nearly RFC 3339: no zone, an offset without its colon or minutes, a comma before the fraction; or an epoch
/// number in quotes.
fn read_loose(text: &str) -> Option<Read> {
    const SECONDS: usize = "2026-02-14T19:01:23".len();
    if is_epoch(text) {
        return Micros::from_epoch_number(text).ok().map(certain);
    }
    let (clock, rest) = text.split_at_checked(SECONDS)?;
    let rest = rest.strip_prefix([',', '.']).unwrap_or(rest);
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, zone) = rest.split_at(digits);
    let (zone, inferred) = match zone.trim_start().as_bytes() {
        [] => ("Z".to_owned(), true),
        [b'Z' | b'z'] => ("Z".to_owned(), false),
        [sign @ (b'+' | b'-'), digits @ ..] => {
            let (hours, minutes) = match digits {
                [_, _, b':', _, _] => (&digits[..2], &digits[3..]),
                [_, _, _, _] => digits.split_at(2),
                [_, _] => (digits, &b"00"[..]),
                _ => return None,
            };
            let part = |digits| std::str::from_utf8(digits).ok();
            (
                format!("{}{}:{}", char::from(*sign), part(hours)?, part(minutes)?),
                false,
            )
        }
        _ => return None,
    };
    let point = if fraction.is_empty() { "" } else { "." };
    let moment = Micros::parse(&format!("{clock}{point}{fraction}{zone}")).ok()?;
    Some(Read { moment, inferred })
}

/// Seconds or milliseconds of this age in digits; other numbers in quotes may be anything.
fn is_epoch(text: &str) -> bool {
    let whole = text.split('.').next().unwrap_or_default();
    matches!(whole.len(), 10 | 13)
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && whole.bytes().all(|byte| byte.is_ascii_digit())
}

impl TimeForm {
    /// Longest token.
    const MAX: usize = 34;

    /// Appends the moment as a JSON token. Milliseconds are cut.
    pub(in crate::dialects) fn push(self, moment: Micros, out: &mut Vec<u8>) {
        match self {
            Self::Iso => {
                let text = moment.text();
                let (clock, fraction) = (&text[..19], &text[19..26]);
                out.push(b'"');
                out.extend_from_slice(clock);
                if fraction != b".000000" {
                    out.extend_from_slice(fraction);
                }
                out.extend_from_slice(b"+00:00\"");
            }
            Self::Millis => out.extend_from_slice(moment.0.div_euclid(1000).to_string().as_bytes()),
        }
    }

    /// The moment as a JSON token.
    pub(in crate::dialects) fn token(self, moment: Micros) -> String {
        let mut out = Vec::with_capacity(Self::MAX);
        self.push(moment, &mut out);
        String::from_utf8(out).expect("moments are ASCII")
    }

    /// Whether the moment alone gives the token back.
    pub(super) fn says(self, moment: Micros, token: &str) -> bool {
        let length = match self {
            Self::Iso => matches!(token.len(), 27 | 34),
            Self::Millis => token.len() <= 16,
        };
        length && self.token(moment) == token
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RawJson;

    fn read_token(token: &str) -> Option<(String, bool)> {
        let object = format!("{{\"t\":{token}}}");
        let record = RawJson::parse(&object, 8).unwrap();
        let member = record.members().unwrap().next().unwrap();
        read(&member).map(|read| (read.moment.to_string(), read.inferred))
    }

    #[test]
    fn a_moment_is_read_however_it_is_written() {
        for (token, moment, inferred) in [
            ("1761447437.1017134", "2025-10-26T02:57:17.101713Z", false),
            ("1761447437", "2025-10-26T02:57:17.000000Z", false),
            ("1761447437101", "2025-10-26T02:57:17.101000Z", false),
            ("1.761447437e9", "2025-10-26T02:57:17.000000Z", false),
            ("\"1761447437.5\"", "2025-10-26T02:57:17.500000Z", false),
            ("\"1761447437500\"", "2025-10-26T02:57:17.500000Z", false),
            (
                "\"2025-10-31T03:34:05.710556+00:00\"",
                "2025-10-31T03:34:05.710556Z",
                false,
            ),
            (
                "\"2025-10-31T12:34:05.7105561+09:00\"",
                "2025-10-31T03:34:05.710556Z",
                false,
            ),
            (
                "\"2025-10-31T03:34:05.7105561Z\"",
                "2025-10-31T03:34:05.710556Z",
                false,
            ),
            (
                "\"2025-10-31T12:34:05+0900\"",
                "2025-10-31T03:34:05.000000Z",
                false,
            ),
            (
                "\"2025-10-31 12:34:05.5 +09\"",
                "2025-10-31T03:34:05.500000Z",
                false,
            ),
            (
                "\"2025-10-31T03:34:05-00:00\"",
                "2025-10-31T03:34:05.000000Z",
                false,
            ),
            (
                "\"2025-12-09T12:47:32.219273\"",
                "2025-12-09T12:47:32.219273Z",
                true,
            ),
            ("\"2025-12-24T14:28:04\"", "2025-12-24T14:28:04.000000Z", true),
            ("\"2025-11-01 07:46:58,123\"", "2025-11-01T07:46:58.123000Z", true),
        ] {
            assert_eq!(read_token(token), Some((moment.to_owned(), inferred)), "{token}");
        }
    }

    #[test]
    fn what_is_no_moment_is_never_one_of_1970() {
        for token in [
            "0",
            "-1",
            "12.5",
            "31535999",
            "1e300",
            "1761447437101000",
            "null",
            "true",
            "[1761447437]",
            "\"\"",
            "\"0\"",
            "\"now\"",
            "\"2025-11-01\"",
            "\"20251101\"",
            "\"20251101120000\"",
            "\"1970-01-01T00:00:00Z\"",
            "\"0001-01-01T00:00:00\"",
            "\"2025-13-01T00:00:00\"",
            "\"2025-11-01T00:00:00 CET\"",
            "\"2025-11-01T00:00:00+9\"",
            "\"2025-11-01T00:00:0é\"",
            "\"2025-11-01T00:00:00+é\"",
        ] {
            assert_eq!(read_token(token), None, "{token}");
        }
    }

    #[test]
    fn a_form_knows_which_of_its_own_tokens_it_gives_back() {
        let moment = Micros(1_771_095_683_456_000);
        let iso = "\"2026-02-14T19:01:23.456000+00:00\"";
        assert_eq!(TimeForm::Iso.token(moment), iso);
        assert!(TimeForm::Iso.says(moment, iso));
        assert!(!TimeForm::Iso.says(moment, "\"2026-02-14T19:01:23.456Z\""));
        assert_eq!(
            TimeForm::Iso.token(Micros(1_771_095_683_000_000)),
            "\"2026-02-14T19:01:23+00:00\""
        );
        assert_eq!(TimeForm::Millis.token(moment), "1771095683456");
        assert!(!TimeForm::Millis.says(moment, "1771095683456.5"));
        assert_eq!(TimeForm::Millis.token(Micros(-1)), "-1");
    }
}
