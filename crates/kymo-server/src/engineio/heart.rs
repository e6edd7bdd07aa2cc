//! When a client is asked whether it is there, and when it counts as gone.
//!
//! Pure; time is handed in. Engine.IO gives a client a fixed time for the answer. One that has more to take than it can
//! is slow, not gone: behind all that waits in buffers it sees the question late. It is left only once it neither spoke
//! nor took anything for as long as any other client of ours may.
use std::time::Duration;

use tokio::time::Instant;

use crate::{socket::DEAD_AFTER, spread};

/// How often is asked, and how long is waited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rhythm {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Beat {
    /// Nothing yet.
    Wait,
    /// Ask.
    Ping,
    /// It is gone.
    Gone,
}

/// The heartbeat of one session.
#[derive(Debug)]
pub(crate) struct Heart {
    rhythm: Rhythm,
    due: Instant,
    /// Whether it was asked and has not answered.
    asked: bool,
    /// It had more to take than it could, since it last spoke.
    slow: bool,
    lived: Instant,
}

impl Heart {
    pub(crate) fn new(rhythm: Rhythm, now: Instant) -> Self {
        Self {
            rhythm,
            due: now + spread::first(rhythm.interval),
            asked: false,
            slow: false,
            lived: now,
        }
    }

    /// When [`Heart::beat`] is to be asked next.
    pub(crate) const fn due(&self) -> Instant {
        self.due
    }

    /// It spoke.
    pub(crate) const fn heard(&mut self, now: Instant) {
        self.lived = now;
        self.slow = false;
    }

    /// It answered.
    pub(crate) fn pong(&mut self, now: Instant) {
        self.heard(now);
        if std::mem::take(&mut self.asked) {
            self.due = now + self.rhythm.interval;
        }
    }

    /// It has more to take than it can.
    pub(crate) const fn slow(&mut self) {
        self.slow = true;
    }

    /// It took something.
    pub(crate) const fn took(&mut self, now: Instant) {
        if self.slow {
            self.lived = now;
        }
    }

    /// What is to be done now.
    pub(crate) fn beat(&mut self, now: Instant) -> Beat {
        if now < self.due {
            return Beat::Wait;
        }
        if !self.asked {
            self.asked = true;
            self.due = now + self.rhythm.timeout;
            return Beat::Ping;
        }
        let patience = if self.slow {
            DEAD_AFTER.max(self.rhythm.timeout)
        } else {
            self.rhythm.timeout
        };
        if now - self.lived >= patience {
            return Beat::Gone;
        }
        self.due = self.lived + patience;
        Beat::Wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RHYTHM: Rhythm = Rhythm {
        interval: Duration::from_secs(25),
        timeout: Duration::from_secs(20),
    };

    /// A heart that has just asked, and when.
    fn asked() -> (Heart, Instant) {
        let start = Instant::now();
        let mut heart = Heart::new(RHYTHM, start);
        assert!(heart.due() <= start + RHYTHM.interval);
        assert_eq!(heart.beat(start), Beat::Wait);
        let at = heart.due();
        assert_eq!(heart.beat(at), Beat::Ping);
        (heart, at)
    }

    #[test]
    fn who_does_not_answer_in_time_is_gone_and_who_does_is_asked_again() {
        let (mut heart, at) = asked();
        assert_eq!(heart.due(), at + RHYTHM.timeout);
        assert_eq!(heart.beat(heart.due()), Beat::Gone);
        let (mut heart, at) = asked();
        heart.pong(at + Duration::from_secs(1));
        assert_eq!(heart.due(), at + Duration::from_secs(26));
        assert_eq!(heart.beat(heart.due()), Beat::Ping);
    }

    #[test]
    fn who_is_slow_is_gone_only_once_it_takes_nothing_any_more() {
        let (mut heart, at) = asked();
        heart.slow();
        heart.took(at + Duration::from_secs(60));
        assert_eq!(heart.beat(at + Duration::from_secs(100)), Beat::Wait);
        assert_eq!(heart.due(), at + Duration::from_secs(60) + DEAD_AFTER);
        assert_eq!(heart.beat(heart.due()), Beat::Gone);
    }

    #[test]
    fn taking_what_fits_into_buffers_is_no_sign_of_life() {
        let (mut heart, at) = asked();
        heart.took(at + Duration::from_secs(10));
        assert_eq!(heart.beat(at + RHYTHM.timeout), Beat::Gone);
    }
}
