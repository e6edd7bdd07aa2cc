//! What a measurement yields: named figures, and the statistics that make one figure of many.

use std::time::Duration;

/// One measured value.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Figure {
    /// What it is, `rate` for the one the row is about.
    pub(crate) name: &'static str,
    /// In what.
    pub(crate) unit: &'static str,
    /// How much.
    pub(crate) value: f64,
}

/// The figure that a row is about.
pub(crate) const RATE: &str = "rate";

/// What one measurement yields, in the order of the cell.
pub(crate) type Figures = Vec<Figure>;

/// A figure.
pub(crate) const fn figure(name: &'static str, unit: &'static str, value: f64) -> Figure {
    Figure { name, unit, value }
}

impl Figure {
    /// As it stands in a cell. A rate needs no name.
    pub(crate) fn text(&self) -> String {
        let value = format!("{} {}", readable(self.value), self.unit);
        if self.name == RATE {
            value
        } else {
            format!("{} {value}", self.name)
        }
    }
}

/// The middle value; of an even number the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (middle, odd) = (sorted.len() / 2, sorted.len() % 2 == 1);
    match (sorted.get(middle), odd) {
        (None, _) => f64::NAN,
        (Some(value), true) => *value,
        (Some(value), false) => f64::midpoint(sorted[middle - 1], *value),
    }
}

/// p50 and p99 of waits, in microseconds.
pub(crate) fn p50_p99(mut waits: Vec<Duration>) -> [Figure; 2] {
    waits.sort_unstable();
    [("p50", 50), ("p99", 99)].map(|(name, percent)| figure(name, "µs", percentile(&waits, percent)))
}

/// Microseconds within which `percent` of the sorted waits lie (nearest rank).
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted
        .get(rank - 1)
        .map_or(f64::NAN, |wait| wait.as_secs_f64() * 1e6)
}

/// A value for people: thousands grouped, decimals only where they say something.
pub(crate) fn readable(value: f64) -> String {
    if value.is_nan() {
        return "?".into();
    }
    if value.abs() < 10.0 {
        return format!("{value:.2}");
    }
    if value.abs() < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[7.0]), 7.0);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_percentile_is_a_wait_that_happened() {
        let waits: Vec<_> = (1..=200).map(Duration::from_micros).collect();
        assert_eq!(percentile(&waits, 50), 100.0);
        assert_eq!(percentile(&waits, 99), 198.0);
        assert_eq!(percentile(&waits[..1], 99), 1.0);
        assert!(percentile(&[], 50).is_nan());
    }

    #[test]
    fn values_are_written_for_people() {
        assert_eq!(readable(1_234_567.4), "1,234,567");
        assert_eq!(readable(999.6), "1,000");
        assert_eq!(readable(123.4), "123");
        assert_eq!(readable(12.34), "12.3");
        assert_eq!(readable(0.856), "0.86");
        assert_eq!(readable(f64::NAN), "?");
    }
}
