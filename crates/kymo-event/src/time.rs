//! Moments: microseconds since 1970 UTC, and their one text form in the ledger.
//!
//! Years 0000 to 9999, as RFC 3339 has them. Reading is strict about the calendar and the clock, since a wrong date
//! that is quietly mended would put an event where it never happened.
use std::time::Duration;

/// A moment, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Micros(pub i64);

/// A text that is no RFC 3339 moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time: {reason}")]
pub struct TimeError {
    /// What was expected.
    pub reason: &'static str,
}

const SECOND: i64 = 1_000_000;
const DAY_SECONDS: i64 = 86_400;
/// Epoch numbers above this are milliseconds: as seconds it is the year 2286.
const SECONDS_MAX: u64 = 9_999_999_999;

impl Micros {
    /// Length of the canonical text, `2026-02-14T19:01:23.457102Z`.
    pub const TEXT_LEN: usize = 27;
    /// `0000-01-01T00:00:00.000000Z`
    pub const MIN: Self = Self(-62_167_219_200 * SECOND);
    /// `9999-12-31T23:59:59.999999Z`
    pub const MAX: Self = Self(253_402_300_800 * SECOND - 1);

    /// Reads RFC 3339 with any offset and any number of fraction digits (cut after microseconds).
    /// A leap second counts as the second before it.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        Ok(Rfc3339::parse(text)?.moment)
    }

    /// The moment this long after 1970, as a system clock tells it.
    #[must_use]
    pub fn from_epoch(since: Duration) -> Self {
        Self(i64::try_from(since.as_micros()).unwrap_or(i64::MAX)).clamped()
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub fn from_epoch_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(SECOND)).clamped()
    }

    /// Whole milliseconds since 1970.
    #[must_use]
    pub fn from_epoch_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1000)).clamped()
    }

    /// Reads a JSON number of seconds since 1970, or of milliseconds when it is above 9,999,999,999.
    /// Digits beyond microseconds are cut.
    pub fn from_epoch_number(token: &str) -> Result<Self, TimeError> {
        let outside = error("an epoch number must lie between the years 0000 and 9999");
        let (negative, digits) = token
            .strip_prefix('-')
            .map_or((false, token), |rest| (true, rest));
        let micros = match decimal_micros(digits) {
            Some(micros) => micros,
            None => float_micros(digits).ok_or_else(|| outside.clone())?,
        };
        let micros = if negative { -micros } else { micros };
        let moment = Self(i64::try_from(micros).map_err(|_| outside.clone())?);
        if moment == moment.clamped() {
            Ok(moment)
        } else {
            Err(outside)
        }
    }

    /// The canonical text: UTC, exactly six fraction digits, `Z`. A moment outside [`Micros::MIN`]..=[`Micros::MAX`]
    /// is written as the nearer of the two.
    #[must_use]
    pub fn text(self) -> [u8; Self::TEXT_LEN] {
        let micros = self.clamped().0;
        let seconds = micros.div_euclid(SECOND);
        let (year, month, day) = date_of(seconds.div_euclid(DAY_SECONDS));
        let clock = seconds.rem_euclid(DAY_SECONDS);
        let mut out = *b"0000-00-00T00:00:00.000000Z";
        put(&mut out[0..4], year);
        put(&mut out[5..7], month);
        put(&mut out[8..10], day);
        put(&mut out[11..13], clock / 3600);
        put(&mut out[14..16], clock / 60 % 60);
        put(&mut out[17..19], clock % 60);
        put(&mut out[20..26], micros.rem_euclid(SECOND));
        out
    }

    /// The nearest moment that has a text.
    #[must_use]
    pub fn clamped(self) -> Self {
        self.clamp(Self::MIN, Self::MAX)
    }

    /// Reads the canonical text only; anything else is `None`.
    pub(crate) fn parse_canonical(text: &[u8]) -> Option<Self> {
        let canonical =
            text.len() == Self::TEXT_LEN && text[19] == b'.' && text[26] == b'Z' && text[10] == b'T';
        if !canonical || !text[20..26].iter().all(u8::is_ascii_digit) {
            return None;
        }
        Some(Rfc3339::parse(std::str::from_utf8(text).ok()?).ok()?.moment)
    }
}

impl std::fmt::Display for Micros {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).expect("canonical text is ASCII"))
    }
}

/// What a text says beyond the moment, so that a dialect knows whether it can give the text back.
pub(crate) struct Rfc3339 {
    pub(crate) moment: Micros,
    /// The moment alone tells the same: it was UTC, with nothing finer than a microsecond and no leap second.
    pub(crate) exact: bool,
}

impl Rfc3339 {
    pub(crate) fn parse(text: &str) -> Result<Self, TimeError> {
        let bytes = text.as_bytes();
        if bytes.len() < 20 {
            return Err(error("write it like 2026-02-14T19:01:23.457102Z"));
        }
        let date_ok = bytes[4] == b'-' && bytes[7] == b'-' && matches!(bytes[10], b'T' | b't' | b' ');
        if !date_ok || bytes[13] != b':' || bytes[16] != b':' {
            return Err(error("write it like 2026-02-14T19:01:23.457102Z"));
        }
        let days = days_in(
            number(&bytes[0..4])?,
            number(&bytes[5..7])?,
            number(&bytes[8..10])?,
        )?;
        let (hour, minute, second) = (
            number(&bytes[11..13])?,
            number(&bytes[14..16])?,
            number(&bytes[17..19])?,
        );
        if hour > 23 || minute > 59 || second > 60 {
            return Err(error("hours go to 23, minutes and seconds to 59"));
        }
        let (fraction, finer, zone) = fraction(&bytes[19..])?;
        let offset = offset(zone)?;
        let seconds = days * DAY_SECONDS + hour * 3600 + minute * 60 + second.min(59) - offset.seconds;
        let moment = Micros(seconds * SECOND + fraction);
        if moment != moment.clamped() {
            return Err(error("the year must lie between 0000 and 9999 in UTC"));
        }
        let exact = offset.utc && !finer && second < 60;
        Ok(Self { moment, exact })
    }
}

fn error(reason: &'static str) -> TimeError {
    TimeError { reason }
}

fn number(digits: &[u8]) -> Result<i64, TimeError> {
    digits.iter().try_fold(0, |sum, digit| match digit {
        b'0'..=b'9' => Ok(sum * 10 + i64::from(digit - b'0')),
        _ => Err(error("digits were expected, like 2026-02-14T19:01:23Z")),
    })
}

/// Microseconds, whether digits beyond them were cut that were not zero, and what follows the fraction.
fn fraction(rest: &[u8]) -> Result<(i64, bool, &[u8]), TimeError> {
    let Some((b'.', digits)) = rest.split_first() else {
        return Ok((0, false, rest));
    };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return Err(error("digits must follow the point of the seconds"));
    }
    let kept = count.min(6);
    let micros = (kept..6).fold(number(&digits[..kept])?, |micros, _| micros * 10);
    let finer = digits[kept..count].iter().any(|digit| *digit != b'0');
    Ok((micros, finer, &digits[count..]))
}

struct Offset {
    seconds: i64,
    utc: bool,
}

fn offset(zone: &[u8]) -> Result<Offset, TimeError> {
    match zone {
        [b'Z' | b'z'] => Ok(Offset {
            seconds: 0,
            utc: true,
        }),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
            if hours > 23 || minutes > 59 {
                return Err(error("an offset goes from -23:59 to +23:59"));
            }
            let seconds = hours * 3600 + minutes * 60;
            // -00:00 says that the local offset is unknown, which is more than UTC says.
            let utc = seconds == 0 && *sign == b'+';
            Ok(Offset {
                seconds: if *sign == b'-' { -seconds } else { seconds },
                utc,
            })
        }
        _ => Err(error("end it with Z or an offset like +09:00")),
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
fn days_in(year: i64, month: i64, day: i64) -> Result<i64, TimeError> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return Err(error("months go from 01 to 12")),
    };
    if day < 1 || day > length {
        return Err(error("the month has no such day"));
    }
    // Years begin in March here, so that the leap day is the last of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Ok(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// The date that is `days` after 1970-01-01.
fn date_of(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[expect(clippy::cast_sign_loss, reason = "parts of a date are not negative")]
fn put(slot: &mut [u8], mut value: i64) {
    for byte in slot.iter_mut().rev() {
        *byte = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Exactly, from digits with an optional fraction; `None` where there is an exponent or too many digits.
fn decimal_micros(digits: &str) -> Option<i128> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let number: u64 = whole.parse().ok()?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let millis = number > SECONDS_MAX;
    let places = if millis { 3 } else { 6 };
    let kept = &fraction[..fraction.len().min(places)];
    let small = (kept.len()..places).fold(
        kept.bytes()
            .fold(0, |sum, digit| sum * 10 + i128::from(digit - b'0')),
        |sum, _| sum * 10,
    );
    Some(i128::from(number) * if millis { 1000 } else { 1_000_000 } + small)
}

/// By floating point, for numbers with an exponent.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
#[expect(
    clippy::cast_precision_loss,
    reason = "the border between seconds and milliseconds is exact in f64"
)]
fn float_micros(digits: &str) -> Option<i128> {
    let number: f64 = digits.parse().ok()?;
    let micros = if number > SECONDS_MAX as f64 {
        number * 1e3
    } else {
        number * 1e6
    };
    (micros.is_finite() && micros < 1e18).then(|| micros.round() as i128)
}
