//! Moments as people write them: `start`, `now`, a seq, `5m` or `-5m`, a date, a time of day, an RFC 3339 time.
//!
//! What is written without a zone is local time: of this machine, where the person is.
use std::{fmt, str::FromStr};

use jiff::{
    Zoned,
    civil::{DateTime, Time},
};
use kymo_event::{Micros, Seq};

/// A place in the ledger, by position or by time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Moment {
    Start,
    Now,
    Seq(Seq),
    Time(Micros),
    /// Microseconds before now.
    Ago(i64),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "start" => return Ok(Self::Start),
            "now" => return Ok(Self::Now),
            _ => {}
        }
        if let Some(ago) = ago(text.strip_prefix('-').unwrap_or(text)) {
            return Ok(Self::Ago(ago));
        }
        if let Ok(seq) = text.parse() {
            return Ok(Self::Seq(seq));
        }
        if let Ok(time) = Micros::parse(text) {
            return Ok(Self::Time(time));
        }
        local(text, &Zoned::now()).map(Self::Time).ok_or_else(|| {
            format!(
                "`{text}` is no moment: write a seq (18442), a date (2026-02-14, today, yesterday), a time (19:01, \
                 2026-02-14 19:01, 2026-02-14T19:01:23Z), an age (5m, 2h, 3d), `start` or `now`"
            )
        })
    }
}

/// A date is its first moment; a time of day is the last one that was so.
fn local(text: &str, now: &Zoned) -> Option<Micros> {
    let at = match text {
        "today" => now.date().to_datetime(Time::midnight()),
        "yesterday" => now.date().yesterday().ok()?.to_datetime(Time::midnight()),
        _ if is_date(text) => text.parse::<DateTime>().ok()?,
        _ if text.contains(':') => {
            let time = text.parse::<Time>().ok()?;
            let day = if time > now.time() {
                now.date().yesterday().ok()?
            } else {
                now.date()
            };
            day.to_datetime(time)
        }
        _ => return None,
    };
    let at = at.to_zoned(now.time_zone().clone()).ok()?;
    Some(Micros(at.timestamp().as_microsecond()))
}

/// `2026-02-14`, alone or with a time of day behind it.
fn is_date(text: &str) -> bool {
    let date = text.get(..10).unwrap_or_default();
    let parts = date
        .split('-')
        .map(|part| (part.len(), part.bytes().all(|byte| byte.is_ascii_digit())));
    parts.eq([(4, true), (2, true), (2, true)])
}

/// `90s`, `5m`, `2h`, `3d`, `1w`, `250ms`: microseconds.
fn ago(text: &str) -> Option<i64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let count: i64 = text[..digits].parse().ok()?;
    let unit = match &text[digits..] {
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60 * 1_000_000,
        "h" => 3_600 * 1_000_000,
        "d" => 86_400 * 1_000_000,
        "w" => 7 * 86_400 * 1_000_000,
        _ => return None,
    };
    count.checked_mul(unit)
}

impl Moment {
    /// The moment as a time, where it is one.
    pub(crate) fn time(self) -> Option<Micros> {
        match self {
            Self::Time(time) => Some(time),
            Self::Ago(micros) => Some(Micros(now().0.saturating_sub(micros))),
            Self::Start | Self::Now | Self::Seq(_) => None,
        }
    }
}

/// The text the HTTP API understands. An age becomes a time here, so that it means the same on every page of an answer.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("start"),
            Self::Now => f.write_str("now"),
            Self::Seq(seq) => write!(f, "{seq}"),
            Self::Time(_) | Self::Ago(_) => self.time().expect("both are times").fmt(f),
        }
    }
}

/// The clock of this machine.
pub(crate) fn now() -> Micros {
    Micros(jiff::Timestamp::now().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_may_be_written_with_or_without_a_minus() {
        assert_eq!("5m".parse(), Ok(Moment::Ago(300_000_000)));
        assert_eq!("-5m".parse(), Ok(Moment::Ago(300_000_000)));
        assert_eq!("250ms".parse(), Ok(Moment::Ago(250_000)));
    }

    #[test]
    fn a_bare_number_is_a_seq() {
        assert_eq!(
            "18442".parse(),
            Ok(Moment::Seq(Seq::new(18442).expect("not zero")))
        );
    }

    #[test]
    fn a_date_or_a_time_of_day_without_a_zone_is_local() {
        // Written out, since not every machine has a database of zones.
        let berlin = jiff::tz::TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone");
        let now: jiff::Timestamp = "2026-11-20T09:30:00Z".parse().expect("a moment");
        let now = now.to_zoned(berlin);
        let micros = |text| Some(Micros::parse(text).expect("a time"));
        for (text, utc) in [
            ("2026-11-20", "2026-11-19T23:00:00Z"),
            ("2026-07-01", "2026-06-30T22:00:00Z"),
            ("2026-11-20 09:15", "2026-11-20T08:15:00Z"),
            ("2026-11-20T09:15:30.5", "2026-11-20T08:15:30.5Z"),
            ("today", "2026-11-19T23:00:00Z"),
            ("yesterday", "2026-11-18T23:00:00Z"),
            ("09:15", "2026-11-20T08:15:00Z"),
            ("23:15:10", "2026-11-19T22:15:10Z"),
        ] {
            assert_eq!(local(text, &now), micros(utc), "{text}");
        }
        assert_eq!(
            "2026-11-20T09:15:00+02:00".parse(),
            Ok(Moment::Time(micros("2026-11-20T07:15:00Z").expect("given")))
        );
    }

    #[test]
    fn what_is_none_of_these_is_refused_with_what_to_write() {
        for text in [
            "tomorrow",
            "2026-13-01",
            "2026-11-20 25:00",
            "25:00",
            "20.11.2026",
            "5x",
            "",
            ":",
        ] {
            let error = text.parse::<Moment>().expect_err(text);
            assert!(error.contains("2026-02-14T19:01:23Z"), "{error}");
        }
    }
}
