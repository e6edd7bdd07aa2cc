//! When a peer counts as dead: silent for two minutes, and not taking anything either.
//!
//! Pure; time is handed in. A slow reader takes a byte now and then and is kept for ever.
use std::time::Duration;

use tokio::time::Instant;

use crate::socket::DEAD_AFTER;

/// Between two pings.
pub(crate) const PING_EVERY: Duration = Duration::from_secs(20);

/// When the peer last showed that it is there.
#[derive(Debug)]
pub(crate) struct Liveness {
    heard: Instant,
    took: Instant,
}

impl Liveness {
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            heard: now,
            took: now,
        }
    }

    /// Bytes came from the peer: a pong, or anything else.
    pub(crate) const fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// The peer took bytes. Pings do not count: the system takes a few of them for a peer that is gone.
    pub(crate) const fn took(&mut self, now: Instant) {
        self.took = now;
    }

    pub(crate) fn is_dead(&self, now: Instant) -> bool {
        now - self.heard >= DEAD_AFTER && now - self.took >= DEAD_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_peer_that_neither_speaks_nor_takes_is_dead() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut peer = Liveness::new(start);
        assert!(!peer.is_dead(start + DEAD_AFTER - second));
        assert!(peer.is_dead(start + DEAD_AFTER));
        peer.took(start + second);
        assert!(!peer.is_dead(start + DEAD_AFTER));
        assert!(peer.is_dead(start + DEAD_AFTER + second));
        peer.heard(start + second * 2);
        assert!(!peer.is_dead(start + DEAD_AFTER + second));
        assert!(peer.is_dead(start + DEAD_AFTER + second * 2));
    }
}
