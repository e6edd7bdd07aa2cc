//! When each of many connections is first looked after: not all at once, though all may have come at once.
use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

/// 2^32 divided by the golden ratio: its multiples divide a circle evenly, however many there are.
const STEP: u32 = 0x9e37_79b9;

/// The first wait of something that is then done at every `interval`: between half of that and the whole.
pub(crate) fn first(interval: Duration) -> Duration {
    static TURNS: AtomicU32 = AtomicU32::new(0);
    let part = f64::from(TURNS.fetch_add(STEP, Relaxed)) / 2_f64.powi(32);
    interval.mul_f64((1.0 + part) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_come_together_are_looked_after_one_by_one() {
        let interval = Duration::from_secs(20);
        let mut firsts: Vec<_> = (0..1_000).map(|_| first(interval)).collect();
        assert!(
            firsts
                .iter()
                .all(|first| (interval / 2..=interval).contains(first))
        );
        firsts.sort_unstable();
        let widest = firsts.windows(2).map(|pair| pair[1] - pair[0]).max();
        assert!(
            widest < Some(interval / 2 / 300),
            "{widest:?} between two of a thousand"
        );
    }
}
