//! Numbers as people read them: 1.5 ms rather than 1500 µs, 64 kB rather than 65536.

use crate::figures::readable;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Things.
    Count,
    /// Bytes, in decimal multiples.
    Bytes,
    /// Time, in microseconds.
    Micros,
    /// Things each second.
    PerSecond,
    /// Bytes each second, in megabytes.
    MegabytesPerSecond,
}

impl Unit {
    /// The unit in which the numbers stand.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Count => "number",
            Self::Bytes => "bytes",
            Self::Micros => "µs",
            Self::PerSecond => "per second",
            Self::MegabytesPerSecond => "MB/s",
        }
    }

    /// A short text: few digits and a unit.
    pub(crate) fn text(self, value: f64) -> String {
        match self {
            _ if value == 0.0 => "0".into(),
            Self::Count => scaled(value, &[(1e6, " M"), (1.0, "")]),
            Self::PerSecond => scaled(value, &[(1e6, " M/s"), (1.0, "/s")]),
            Self::Bytes => scaled(value, &[(1e9, " GB"), (1e6, " MB"), (1e3, " kB"), (1.0, " B")]),
            Self::Micros => scaled(value, &[(1e6, " s"), (1e3, " ms"), (1.0, " µs")]),
            Self::MegabytesPerSecond => scaled(value, &[(1e3, " GB/s"), (1.0, " MB/s")]),
        }
    }
}

/// The value in the largest unit that it fills.
fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    let smallest = units.last().expect("every unit has a name");
    // 999.6 is shown as 1 of the next unit, not as 1000 of this one.
    let fits = |size: f64| value.abs() >= size * 0.9995;
    let (size, name) = units.iter().find(|(size, _)| fits(*size)).unwrap_or(smallest);
    format!("{}{name}", short(value / size))
}

fn short(value: f64) -> String {
    let digits = match value.abs() {
        0.0 => 0,
        small if small < 0.095 => 3,
        small if small < 9.95 => 2 - usize::from(small >= 0.995),
        large if large >= 999.5 => return readable(value),
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}
