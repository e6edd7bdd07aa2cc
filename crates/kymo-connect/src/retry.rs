//! When to try again: pauses that grow, never in step with others, and end at once on shutdown.
//!
//! [`Pauses`] is pure; [`pause`] waits.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

/// How long to wait before each next try: twice as long as before, up to a limit, less up to half by chance, so that many
/// who lost the same server do not come back in the same moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pauses {
    first: Duration,
    longest: Duration,
    tries: u32,
}

impl Default for Pauses {
    /// For a connection: from a quarter of a second to fifteen.
    fn default() -> Self {
        Self::new(Duration::from_millis(250), Duration::from_secs(15))
    }
}

impl Pauses {
    /// Pauses of about `first` at the beginning and `longest` at the end.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            tries: 0,
        }
    }

    /// The pause before the next try.
    pub fn next_pause(&mut self) -> Duration {
        self.next_by(chance())
    }

    /// The same with a chance between 0 and 1 handed in.
    fn next_by(&mut self, chance: f64) -> Duration {
        let grown = self
            .first
            .saturating_mul(1 << self.tries.min(20))
            .min(self.longest);
        self.tries = self.tries.saturating_add(1);
        grown.mul_f64(1.0 - chance / 2.0)
    }

    /// It worked: the next fault begins with short pauses again.
    pub const fn reset(&mut self) {
        self.tries = 0;
    }
}

/// Between 0 and 1; good enough to keep servers from being asked in step.
fn chance() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 40;
    #[expect(clippy::cast_precision_loss, reason = "24 bits fit")]
    let chance = bits as f64 / (1_u64 << 24) as f64;
    chance
}

/// Waits; false if shutdown came first.
pub async fn pause(pause: Duration, end: &CancellationToken) -> bool {
    end.run_until_cancelled(tokio::time::sleep(pause)).await.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_limit_and_begin_short_again_once_it_worked() {
        let second = Duration::from_secs(1);
        let mut pauses = Pauses::new(second, second * 5);
        let grown: Vec<_> = (0..40).map(|_| pauses.next_by(0.0)).collect();
        assert_eq!(grown[..4], [second, second * 2, second * 4, second * 5]);
        assert!(grown[4..].iter().all(|pause| *pause == second * 5));
        pauses.reset();
        assert_eq!(pauses.next_by(1.0), second / 2, "by chance up to half less");
    }

    #[test]
    fn chance_is_between_none_and_all() {
        let chances: Vec<_> = (0..100).map(|_| chance()).collect();
        assert!(chances.iter().all(|chance| (0.0..1.0).contains(chance)));
        assert!(chances.iter().any(|chance| *chance != chances[0]), "{chances:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_cut_short_by_shutdown() {
        let end = CancellationToken::new();
        assert!(pause(Duration::from_secs(3), &end).await);
        let began = tokio::time::Instant::now();
        let ending = end.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            ending.cancel();
        });
        assert!(!pause(Duration::from_secs(60), &end).await);
        assert_eq!(began.elapsed(), Duration::from_secs(1));
    }
}
