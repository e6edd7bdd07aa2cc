//! Where a value stands on an axis, and which values are written beside it.

/// Equal steps or equal factors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// From zero, equal steps.
    Linear,
    /// Equal factors. Values are above zero.
    Log,
}

/// The part of an axis that is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    kind: Kind,
    from: f64,
    to: f64,
}

/// About so many values are written beside an axis.
const TICKS: f64 = 5.0;
/// Below so many decades a logarithmic axis shows 1, 2 and 5 of each.
const DECADES_FEW: f64 = 2.9;

impl Scale {
    /// Just wide enough for these values.
    pub(crate) fn tight(kind: Kind, values: impl Iterator<Item = f64>) -> Self {
        let (from, to) = values
            .filter(|value| value.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(from, to), value| {
                (from.min(value), to.max(value))
            });
        match kind {
            _ if from > to => Self {
                kind,
                from: 1.0,
                to: 10.0,
            },
            Kind::Linear => Self {
                kind,
                from: from.min(0.0),
                to: if to > from.min(0.0) { to } else { 1.0 },
            },
            Kind::Log => {
                let from = from.max(f64::MIN_POSITIVE);
                Self {
                    kind,
                    from,
                    to: if to > from { to } else { from * 10.0 },
                }
            }
        }
    }

    /// The same widened to round values, so that the highest point has a tick above it.
    pub(crate) fn rounded(kind: Kind, values: impl Iterator<Item = f64>) -> Self {
        let tight = Self::tight(kind, values);
        match kind {
            Kind::Linear => {
                let step = step(tight.to - tight.from);
                Self {
                    to: (tight.to / step).ceil() * step,
                    ..tight
                }
            }
            Kind::Log => Self {
                from: round_down(tight.from),
                to: round_up(tight.to),
                ..tight
            },
        }
    }

    /// 0 at the beginning, 1 at the end.
    pub(crate) fn place(&self, value: f64) -> f64 {
        match self.kind {
            Kind::Linear => (value - self.from) / (self.to - self.from),
            Kind::Log => (value.max(self.from) / self.from).log10() / (self.to / self.from).log10(),
        }
    }

    /// Round values within, in order.
    pub(crate) fn ticks(&self) -> Vec<f64> {
        match self.kind {
            Kind::Linear => {
                let step = step(self.to - self.from);
                let count = |value: f64| (value / step + 1e-9).floor();
                let (first, last) = ((self.from / step - 1e-9).ceil(), count(self.to));
                (0..)
                    .map(|index| first + f64::from(index))
                    .take_while(|index| *index <= last)
                    .map(|index| index * step)
                    .collect()
            }
            Kind::Log if (self.to / self.from).log10() < DECADES_FEW => self.multiples(&[1.0, 2.0, 5.0]),
            Kind::Log => self.multiples(&[1.0]),
        }
    }

    /// Lines between the ticks of a logarithmic axis, so that its kind is seen.
    pub(crate) fn between(&self) -> Vec<f64> {
        match self.kind {
            Kind::Linear => Vec::new(),
            Kind::Log => self.multiples(&[2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]),
        }
    }

    fn multiples(&self, of_each_decade: &[f64]) -> Vec<f64> {
        let decade = |value: f64| value.log10().floor();
        let within = |value: &f64| *value >= self.from * (1.0 - 1e-9) && *value <= self.to * (1.0 + 1e-9);
        let mut found = Vec::new();
        let mut exponent = decade(self.from);
        while exponent <= decade(self.to) {
            found.extend(
                of_each_decade
                    .iter()
                    .map(|m| m * 10_f64.powf(exponent))
                    .filter(within),
            );
            exponent += 1.0;
        }
        found
    }
}

/// A step of 1, 2 or 5 times a power of ten that divides `range` into about as many parts as there are to be ticks.
fn step(range: f64) -> f64 {
    let rough = range / TICKS;
    let power = 10_f64.powf(rough.log10().floor());
    let part = rough / power;
    let nice = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|nice| part <= nice * (1.0 + 1e-9));
    nice.unwrap_or(10.0) * power
}

/// The largest of 1, 2 and 5 times a power of ten that is not above `value`.
fn round_down(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let part = value / power;
    let nice = [5.0, 2.0, 1.0]
        .into_iter()
        .find(|nice| part >= nice * (1.0 - 1e-9));
    nice.unwrap_or(1.0) * power
}

/// The smallest that is not below.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let part = value / power;
    let nice = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|nice| part <= nice * (1.0 + 1e-9));
    nice.unwrap_or(10.0) * power
}
