//! What Kymo must reach: each bar is a limit for one figure, by itself or against a peer of the same run.

use crate::figures::{Figure, RATE, readable};

/// A limit for one of Kymo's figures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bar {
    /// The figure's name.
    pub(crate) figure: &'static str,
    /// What it must reach.
    pub(crate) limit: Limit,
}

/// What a figure must reach.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    /// At least this much.
    AtLeast(f64),
    /// At most this much.
    AtMost(f64),
    /// Less than this.
    Below(f64),
    /// At least so many times the same figure of a peer.
    AtLeastTimes(f64, Peer),
    /// At most so many times the same figure of a peer.
    AtMostTimes(f64, Peer),
}

/// Whose figure of the same run is the measure.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Peer {
    /// The contestant with this key.
    Named(&'static str),
    /// The best of those that sync before they acknowledge.
    BestDurable,
}

impl Bar {
    pub(crate) const fn at_least(value: f64) -> Self {
        Self::new(RATE, Limit::AtLeast(value))
    }

    pub(crate) const fn new(figure: &'static str, limit: Limit) -> Self {
        Self { figure, limit }
    }

    /// Whether Kymo's figure reaches it; `None` where it or the peer's was not measured. `of_peer` knows the peers'
    /// figures by name.
    pub(crate) fn is_met(
        &self,
        own: &[Figure],
        of_peer: impl Fn(Peer, &'static str) -> Option<f64>,
    ) -> Option<bool> {
        let own = own.iter().find(|figure| figure.name == self.figure)?.value;
        Some(match self.limit {
            Limit::AtLeast(least) => own >= least,
            Limit::AtMost(most) => own <= most,
            Limit::Below(most) => own < most,
            Limit::AtLeastTimes(times, peer) => own >= times * of_peer(peer, self.figure)?,
            Limit::AtMostTimes(times, peer) => own <= times * of_peer(peer, self.figure)?,
        })
    }

    /// The bar in words; `title` names the contestants.
    pub(crate) fn text(&self, title: impl Fn(&'static str) -> &'static str) -> String {
        let name = if self.figure == RATE { "" } else { self.figure };
        let peer = |times: f64, peer: Peer| {
            let whose = match peer {
                Peer::Named(key) => title(key),
                Peer::BestDurable => "best durable peer",
            };
            if times == 1.0 {
                whose.to_owned()
            } else {
                format!("{times} × {whose}")
            }
        };
        let limit = match self.limit {
            Limit::AtLeast(least) => format!("≥ {}", readable(least)),
            Limit::AtMost(most) => format!("≤ {}", readable(most)),
            Limit::Below(most) => format!("< {}", readable(most)),
            Limit::AtLeastTimes(times, whose) => format!("≥ {}", peer(times, whose)),
            Limit::AtMostTimes(times, whose) => format!("≤ {}", peer(times, whose)),
        };
        format!("{name} {limit}").trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::figure;

    const NOBODY: fn(Peer, &'static str) -> Option<f64> = |_, _| None;

    #[test]
    fn a_bar_is_met_at_its_own_value() {
        let figures = [figure(RATE, "events/s", 70_000.0), figure("p99", "µs", 2_500.0)];
        assert_eq!(Bar::at_least(70_000.0).is_met(&figures, NOBODY), Some(true));
        assert_eq!(Bar::at_least(70_001.0).is_met(&figures, NOBODY), Some(false));
        let below = Bar::new("p99", Limit::Below(2_500.0));
        assert_eq!(below.is_met(&figures, NOBODY), Some(false));
    }

    #[test]
    fn a_bar_against_a_peer_needs_the_peer() {
        let figures = [figure(RATE, "events/s", 100.0)];
        let twice = Bar::new(RATE, Limit::AtLeastTimes(2.0, Peer::BestDurable));
        assert_eq!(twice.is_met(&figures, NOBODY), None);
        assert_eq!(twice.is_met(&figures, |_, _| Some(50.0)), Some(true));
        assert_eq!(twice.is_met(&figures, |_, _| Some(50.5)), Some(false));
        assert_eq!(twice.is_met(&[], |_, _| Some(1.0)), None);
    }

    #[test]
    fn bars_are_said_in_words() {
        let title = |_| "Redis";
        let bar = |limit| Bar::new("p99", limit).text(title);
        assert_eq!(Bar::at_least(5e6).text(title), "≥ 5,000,000");
        assert_eq!(bar(Limit::Below(2_500.0)), "p99 < 2,500");
        assert_eq!(
            bar(Limit::AtMostTimes(1.5, Peer::Named("x"))),
            "p99 ≤ 1.5 × Redis"
        );
        assert_eq!(bar(Limit::AtLeastTimes(1.0, Peer::Named("x"))), "p99 ≥ Redis");
    }
}
