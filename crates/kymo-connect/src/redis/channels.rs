//! Hears channels: what is published waits here for whoever stores it, up to a limit.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use kymo_event::Micros;
use kymo_hub::BridgeFault;
use redis::{PushInfo, PushKind};
use tokio::{sync::mpsc, time::Instant};

use super::{entry::bytes, server::Connection, settings::RedisSource};
use crate::clock::now;

/// A message that was heard.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) channel: String,
    pub(super) payload: Vec<u8>,
    pub(super) at: Instant,
    pub(super) time: Micros,
}

/// What was heard and waits.
pub(super) struct Ear {
    pub(super) messages: mpsc::Receiver<Heard>,
    dropped: Arc<AtomicU64>,
}

/// Channels and patterns, in this order.
#[derive(Clone, Debug)]
pub(super) struct Subscriptions {
    channels: Vec<String>,
    patterns: Vec<String>,
}

impl Subscriptions {
    pub(super) fn of(settings: &RedisSource) -> Self {
        Self {
            channels: settings.channels.clone(),
            patterns: settings.patterns.clone(),
        }
    }

    /// Where messages wait, and what puts them there.
    pub(super) fn ear(self, waiting_max: usize) -> (Ear, impl Fn(PushInfo) + Send + Sync + 'static) {
        let (sender, messages) = mpsc::channel(waiting_max.max(1));
        let dropped = Arc::new(AtomicU64::new(0));
        let ear = Ear {
            messages,
            dropped: Arc::clone(&dropped),
        };
        let hear = move |push: PushInfo| {
            if let Some(heard) = self.message(push)
                && sender.try_send(heard).is_err()
            {
                dropped.fetch_add(1, Relaxed);
            }
        };
        (ear, hear)
    }

    /// Asks for all of them.
    pub(super) async fn begin(&self, connection: &Connection) -> Result<(), BridgeFault> {
        let mut asking = connection.subscriber();
        let asked = async {
            if !self.channels.is_empty() {
                asking.subscribe(&self.channels).await?;
            }
            if !self.patterns.is_empty() {
                asking.psubscribe(&self.patterns).await?;
            }
            Ok(())
        };
        asked.await.map_err(|error| connection.fault(&error))
    }

    /// The message of a push, unless it comes by another subscription, too.
    fn message(&self, push: PushInfo) -> Option<Heard> {
        let mut data = push.data.into_iter().map(bytes);
        let by = match push.kind {
            PushKind::Message => None,
            PushKind::PMessage => Some(data.next()?),
            _ => return None,
        };
        let (channel, payload) = (data.next()?, data.next()?);
        self.is_first(by.as_deref(), &channel).then(|| Heard {
            channel: String::from_utf8_lossy(&channel).into_owned(),
            payload,
            at: Instant::now(),
            time: now(),
        })
    }

    /// Whether this is the first subscription that the channel's messages come by: the server gives one for each.
    fn is_first(&self, by: Option<&[u8]>, channel: &[u8]) -> bool {
        let Some(by) = by else {
            return true;
        };
        if self.channels.iter().any(|name| name.as_bytes() == channel) {
            return false;
        }
        let first = self
            .patterns
            .iter()
            .find(|pattern| is_like(pattern.as_bytes(), channel));
        first.is_none_or(|first| first.as_bytes() == by)
    }
}

impl Ear {
    /// Messages that found no room since the connection was opened.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }
}

/// Whether the server takes the channel for one that the pattern means: `*`, `?`, `[a-c]`, `[^a]`, and `\` before any of them.
fn is_like(pattern: &[u8], text: &[u8]) -> bool {
    let Some((&first, rest)) = pattern.split_first() else {
        return text.is_empty();
    };
    if first == b'*' {
        return (0..=text.len()).any(|at| is_like(rest, &text[at..]));
    }
    let Some((&byte, after)) = text.split_first() else {
        return false;
    };
    match first {
        b'?' => is_like(rest, after),
        b'[' => {
            let (is_in, rest) = set(rest, byte);
            is_in && is_like(rest, after)
        }
        b'\\' if !rest.is_empty() => rest[0] == byte && is_like(&rest[1..], after),
        _ => first == byte && is_like(rest, after),
    }
}

/// Whether a byte is in the set that begins here, and what comes after the set.
fn set(pattern: &[u8], byte: u8) -> (bool, &[u8]) {
    let (is_not, mut rest) = match pattern.split_first() {
        Some((b'^', rest)) => (true, rest),
        _ => (false, pattern),
    };
    let mut is_in = false;
    loop {
        match rest {
            [] => break,
            [b']', after @ ..] => {
                rest = after;
                break;
            }
            [b'\\', escaped, after @ ..] => {
                is_in |= *escaped == byte;
                rest = after;
            }
            [from, b'-', to, after @ ..] => {
                is_in |= (*from.min(to)..=*from.max(to)).contains(&byte);
                rest = after;
            }
            [one, after @ ..] => {
                is_in |= *one == byte;
                rest = after;
            }
        }
    }
    (is_in != is_not, rest)
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::*;

    #[test]
    fn patterns_mean_what_the_server_means_by_them() {
        for (pattern, channel, expected) in [
            ("v5:*", "v5:events", true),
            ("v5:*", "v6:events", false),
            ("*", "", true),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-b]llo", "hbllo", true),
            ("h[b-a]llo", "hallo", true),
            ("h[a-b]llo", "hcllo", false),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("[a\\]]", "]", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1c2b", false),
            ("[", "a", false),
            ("\\", "\\", true),
        ] {
            assert_eq!(
                is_like(pattern.as_bytes(), channel.as_bytes()),
                expected,
                "{pattern} {channel}"
            );
        }
    }

    #[test]
    fn a_message_that_comes_by_several_subscriptions_is_one() {
        let subscriptions = Subscriptions {
            channels: vec!["a".into()],
            patterns: vec!["a*".into(), "*b".into()],
        };
        let bulk = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let comes = |kind, words: &[&str]| {
            let data = words.iter().map(|word| bulk(word)).collect();
            subscriptions.message(PushInfo { kind, data }).is_some()
        };
        assert!(comes(PushKind::Message, &["a", "x"]));
        assert!(!comes(PushKind::PMessage, &["a*", "a", "x"]));
        assert!(comes(PushKind::PMessage, &["a*", "ab", "x"]));
        assert!(!comes(PushKind::PMessage, &["*b", "ab", "x"]));
        assert!(comes(PushKind::PMessage, &["*b", "b", "x"]));
        assert!(!comes(PushKind::Subscribe, &["a", "1"]));
    }
}
