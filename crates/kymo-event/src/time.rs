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
        if !digits.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(error("an epoch number is written in digits"));
        }
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
        let micros = self.clamped().0.abs_diff(Self::MIN.0);
        let (seconds, micros) = (micros / 1_000_000, low(micros % 1_000_000));
        let (days, clock) = (low(seconds / 86_400), low(seconds % 86_400));
        let (year, month, day) = date_of(days);
        let mut out = *b"0000-00-00T00:00:00.000000Z";
        let mut put = |at: usize, value: u32| out[at..at + 2].copy_from_slice(&PAIRS[value as usize % 100]);
        put(0, year / 100);
        put(2, year % 100);
        put(5, month);
        put(8, day);
        put(11, clock / 3600);
        put(14, clock / 60 % 60);
        put(17, clock % 60);
        put(20, micros / 10_000);
        put(22, micros / 100 % 100);
        put(24, micros % 100);
        out
    }

    /// The nearest moment that has a text.
    #[must_use]
    pub fn clamped(self) -> Self {
        self.clamp(Self::MIN, Self::MAX)
    }

    /// Reads the canonical text only; anything else is `None`.
    pub fn parse_canonical(text: &[u8]) -> Option<Self> {
        let canonical =
            text.len() == Self::TEXT_LEN && text[19] == b'.' && text[26] == b'Z' && text[10] == b'T';
        if !canonical {
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
        let Some((head, rest)) = text.as_bytes().split_first_chunk::<19>() else {
            return Err(error("write it like 2026-02-14T19:01:23.457102Z"));
        };
        let between = (head[4], head[7], head[10], head[13], head[16]);
        if !matches!(between, (b'-', b'-', b'T' | b't' | b' ', b':', b':')) {
            return Err(error("write it like 2026-02-14T19:01:23.457102Z"));
        }
        let mut digits = Digits::default();
        let mut pair = |at: usize| digits.pair(head[at], head[at + 1]);
        let (year, month, day) = (pair(0) * 100 + pair(2), pair(5), pair(8));
        let (hour, minute, second) = (pair(11), pair(14), pair(17));
        digits.check()?;
        if hour > 23 || minute > 59 || second > 60 {
            return Err(error("hours go to 23, minutes and seconds to 59"));
        }
        let days = days_in(year, month, day)?;
        let clock = hour * 3600 + minute * 60 + second.min(59);
        let Rest {
            micros,
            finer,
            offset,
        } = Rest::parse(rest)?;
        let seconds = i64::from(days) * 86_400 + i64::from(clock) - i64::from(offset.unwrap_or(0));
        let moment = Micros(Micros::MIN.0 + seconds * SECOND + i64::from(micros));
        if moment != moment.clamped() {
            return Err(error("the year must lie between 0000 and 9999 in UTC"));
        }
        let exact = offset == Some(0) && !finer && second < 60;
        Ok(Self { moment, exact })
    }
}

/// Reads pairs of digits and remembers whether one was none, so that there is one branch for all of them.
#[derive(Default)]
struct Digits {
    none: bool,
}

impl Digits {
    #[inline(always)]
    fn pair(&mut self, tens: u8, ones: u8) -> u32 {
        let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
        self.none |= (tens > 9) | (ones > 9);
        u32::from(tens) * 10 + u32::from(ones)
    }

    fn check(&self) -> Result<(), TimeError> {
        if self.none {
            Err(error("digits were expected, like 2026-02-14T19:01:23Z"))
        } else {
            Ok(())
        }
    }
}

/// What follows the seconds.
struct Rest {
    micros: u32,
    /// Digits beyond microseconds were cut that were not zero.
    finer: bool,
    /// Seconds east of UTC; `None` where the text says that it does not know (`-00:00`).
    offset: Option<i32>,
}

impl Rest {
    #[inline]
    fn parse(rest: &[u8]) -> Result<Self, TimeError> {
        // Nearly every time has no fraction, three digits or six, and ends in Z.
        let mut digits = Digits::default();
        let micros = match *rest {
            [b'Z'] => 0,
            [b'.', a, b, c, b'Z'] => digits.pair(a, b) * 10_000 + digits.pair(c, b'0') * 100,
            [b'.', a, b, c, d, e, f, b'Z'] => {
                digits.pair(a, b) * 10_000 + digits.pair(c, d) * 100 + digits.pair(e, f)
            }
            _ => return Self::parse_any(rest),
        };
        digits.check()?;
        Ok(Self {
            micros,
            finer: false,
            offset: Some(0),
        })
    }

    fn parse_any(rest: &[u8]) -> Result<Self, TimeError> {
        let (fraction, zone) = match rest {
            [b'.', rest @ ..] => rest.split_at(rest.iter().take_while(|byte| byte.is_ascii_digit()).count()),
            _ => (&b"0"[..], rest),
        };
        if fraction.is_empty() {
            return Err(error("digits must follow the point of the seconds"));
        }
        let places = fraction.iter().chain(std::iter::repeat(&b'0')).take(6);
        let micros = places.fold(0, |micros, digit| micros * 10 + u32::from(digit - b'0'));
        let finer = fraction.iter().skip(6).any(|digit| *digit != b'0');
        Ok(Self {
            micros,
            finer,
            offset: offset(zone)?,
        })
    }
}

fn offset(zone: &[u8]) -> Result<Option<i32>, TimeError> {
    match *zone {
        [b'Z' | b'z'] => Ok(Some(0)),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let mut digits = Digits::default();
            let (hours, minutes) = (digits.pair(h1, h2), digits.pair(m1, m2));
            digits.check()?;
            if hours > 23 || minutes > 59 {
                return Err(error("an offset goes from -23:59 to +23:59"));
            }
            let seconds = (hours * 3600 + minutes * 60).cast_signed();
            Ok(match (sign, seconds) {
                (b'+', seconds) => Some(seconds),
                (_, 0) => None,
                (_, seconds) => Some(-seconds),
            })
        }
        _ => Err(error("end it with Z or an offset like +09:00")),
    }
}

fn error(reason: &'static str) -> TimeError {
    TimeError { reason }
}

// Dates are counted from the March before, so that the leap day is the last of its year, and from 400 years earlier,
// so that nothing is negative.
const MARCH: u32 = 60;
const ERA_DAYS: u32 = 146_097;

/// Days from 0000-01-01 to a date of the Gregorian calendar.
fn days_in(year: u32, month: u32, day: u32) -> Result<u32, TimeError> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => return Err(error("months go from 01 to 12")),
    };
    if day < 1 || day > length {
        return Err(error("the month has no such day"));
    }
    let year = year + 400 - u32::from(month <= 2);
    let from_march = if month <= 2 { month + 9 } else { month - 3 };
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    Ok(year * 365 + year / 4 - year / 100 + year / 400 + of_year + MARCH - ERA_DAYS)
}

/// The date that is `days` after 0000-01-01.
fn date_of(days: u32) -> (u32, u32, u32) {
    let shifted = days + ERA_DAYS - MARCH;
    let (era, of_era) = (shifted / ERA_DAYS, shifted % ERA_DAYS);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (year_of_era + era * 400 + u32::from(month <= 2) - 400, month, day)
}

/// The two digits of each number below 100.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut number = 0_u8;
    while number < 100 {
        pairs[number as usize] = [b'0' + number / 10, b'0' + number % 10];
        number += 1;
    }
    pairs
};

/// A part of a moment that is known to be small.
#[expect(
    clippy::cast_possible_truncation,
    reason = "ten thousand years are less than 2^32 days or seconds of a day"
)]
const fn low(value: u64) -> u32 {
    value as u32
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
