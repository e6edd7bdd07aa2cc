//! One-time codes: what a browser shows once to be let in, instead of a token that would stay in its history.
use std::{
    io,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use parking_lot::Mutex;

use super::secrets;

/// How long a code is good.
const GOOD_FOR: Duration = Duration::from_secs(300);
/// Codes waiting at once; the oldest is forgotten first.
const WAITING_MAX: usize = 64;

/// Codes that were given out and not used yet, by their hash, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Codes(Mutex<Vec<(blake3::Hash, Instant)>>);

impl Codes {
    /// A new code, good once within five minutes.
    pub(crate) fn issue(&self, now: Instant) -> io::Result<String> {
        let code = URL_SAFE_NO_PAD.encode(secrets::random::<24>()?);
        let mut waiting = self.0.lock();
        waiting.retain(|(_, expires)| *expires > now);
        if waiting.len() == WAITING_MAX {
            waiting.remove(0);
        }
        waiting.push((blake3::hash(code.as_bytes()), now + GOOD_FOR));
        Ok(code)
    }

    /// Whether the code is good; it is not any more afterwards.
    pub(crate) fn redeem(&self, code: &str, now: Instant) -> bool {
        let hash = blake3::hash(code.as_bytes());
        let mut waiting = self.0.lock();
        waiting.retain(|(_, expires)| *expires > now);
        let place = waiting.iter().position(|(known, _)| *known == hash);
        place.is_some_and(|place| {
            waiting.remove(place);
            true
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_works_once() {
        let (codes, now) = (Codes::default(), Instant::now());
        let code = codes.issue(now).expect("a code");
        assert!(!codes.redeem("guess", now));
        assert!(codes.redeem(&code, now));
        assert!(!codes.redeem(&code, now));
    }

    #[test]
    fn a_code_is_good_for_five_minutes() {
        let (codes, now) = (Codes::default(), Instant::now());
        let (early, late) = (
            codes.issue(now).expect("a code"),
            codes.issue(now).expect("a code"),
        );
        assert!(codes.redeem(&early, now + GOOD_FOR - Duration::from_secs(1)));
        assert!(!codes.redeem(&late, now + GOOD_FOR));
    }

    #[test]
    fn codes_that_nobody_uses_do_not_pile_up() {
        let (codes, now) = (Codes::default(), Instant::now());
        let first = codes.issue(now).expect("a code");
        for _ in 0..WAITING_MAX {
            codes.issue(now).expect("a code");
        }
        assert!(!codes.redeem(&first, now));
        assert_eq!(codes.0.lock().len(), WAITING_MAX);
    }
}
