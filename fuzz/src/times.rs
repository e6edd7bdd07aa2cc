//! Moments and names: RFC 3339 as jiff reads it, epoch numbers by exact arithmetic, one canonical text.

use jiff::Timestamp;
use kymo_event::{Micros, begins_name, fold_separators, is_separator, same_name};

/// Any text.
pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    rfc3339(text);
    epoch_number(text);
    if let Some(number) = bytes.first_chunk() {
        canonical(Micros(i64::from_le_bytes(*number)));
    }
    let (a, b) = text.split_once('\n').unwrap_or((text, text));
    names(a, b);
}

fn rfc3339(text: &str) {
    let ours = Micros::parse(text);
    if let Ok(moment) = &ours {
        canonical(*moment);
    }
    // What jiff takes beyond RFC 3339 (zones in brackets, years of six digits, hours alone) has other forms than this.
    let plain = text.len() >= 20
        && text.is_ascii()
        && text.as_bytes()[19..]
            .iter()
            .all(|byte| b"0123456789.+-:Zz".contains(byte));
    let Ok(theirs) = nine_digits(text).parse::<Timestamp>() else {
        // Ours alone goes up to the last day of the year 9999, and knows no leap seconds by name.
        let edge = |moment: Micros| {
            moment.0 >= Timestamp::MAX.as_microsecond() || moment.0 <= Timestamp::MIN.as_microsecond()
        };
        assert!(ours.is_err() || ours.is_ok_and(edge), "{text} is no time");
        return;
    };
    if let (Ok(ours), true) = (ours, plain) {
        let second = text.get(17..19) == Some("60");
        assert!(
            second
                || ours.0
                    == theirs
                        .as_nanosecond()
                        .div_euclid(1000)
                        .try_into()
                        .unwrap_or(i64::MIN),
            "{text}"
        );
    }
}

/// The text with no more digits of a second than jiff takes.
fn nine_digits(text: &str) -> String {
    let Some((whole, rest)) = text.split_once('.') else {
        return text.to_owned();
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    format!("{whole}.{}{}", &rest[..digits.min(9)], &rest[digits..])
}

/// Against digits shifted by hand.
fn epoch_number(token: &str) {
    let Ok(moment) = Micros::from_epoch_number(token) else {
        return;
    };
    canonical(moment);
    assert_eq!(moment, moment.clamped());
    let (negative, digits) = token
        .strip_prefix('-')
        .map_or((false, token), |digits| (true, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let Some(whole) = whole
        .parse::<i128>()
        .ok()
        .filter(|_| plain(digits) || (plain(whole) && plain(fraction)))
    else {
        return;
    };
    // Above this a number of seconds would lie behind the year 2286: it is of milliseconds.
    let (unit, places) = if whole > 9_999_999_999 {
        (1_000, 3)
    } else {
        (1_000_000, 6)
    };
    let fraction: i128 = format!("{fraction:0<6}")[..places].parse().expect("digits");
    let micros = whole * unit + fraction;
    assert_eq!(
        i128::from(moment.0),
        if negative { -micros } else { micros },
        "{token}"
    );
}

fn canonical(moment: Micros) {
    let text = moment.text();
    let text = std::str::from_utf8(&text).expect("ASCII");
    assert_eq!(Micros::parse(text), Ok(moment.clamped()));
    assert_eq!(moment.to_string(), text);
    if let Ok(theirs) = Timestamp::from_microsecond(moment.0)
        && moment == moment.clamped()
    {
        assert_eq!(format!("{theirs:.6}"), text);
    }
}

fn names(a: &str, b: &str) {
    let (folded_a, folded_b) = (fold_separators(a), fold_separators(b));
    assert!(!folded_a.contains(|c: char| c.is_ascii() && c != '.' && is_separator(c as u8)));
    assert_eq!(fold_separators(&folded_a), folded_a);
    assert_eq!(same_name(a, b), folded_a == folded_b);
    assert_eq!(begins_name(a, b), folded_a.starts_with(&*folded_b));
    assert!(same_name(a, &folded_a));
}
