//! Moments as people write them: `start`, `now`, a seq, `5m` or `-5m`, an RFC 3339 time.
use std::{fmt, str::FromStr};

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
        Micros::parse(text).map(Self::Time).map_err(|_| {
            format!("`{text}` is no moment: write a seq (18442), a time (2026-02-14T19:01:23Z), an age (5m, 2h, 3d), `start` or `now`")
        })
    }
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
    fn what_is_none_of_these_is_refused_with_what_to_write() {
        let error = "yesterday".parse::<Moment>().expect_err("not a moment");
        assert!(error.contains("2026-02-14T19:01:23Z"), "{error}");
    }
}
