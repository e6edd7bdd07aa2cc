//! What is wrong with a filter text, said so that the reader can put it right.

use super::{text, tree::Key};

/// What is wrong with a filter text, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at character {})", at + 1)]
pub struct FilterError {
    /// Character position, from 0.
    pub at: usize,
    /// What happened and what to write instead.
    pub message: String,
}

/// Words that people write for a key, and the key.
const OTHER_WORDS: &[(&str, Key)] = &[
    ("event", Key::Type),
    ("event_type", Key::Type),
    ("kind", Key::Type),
    ("name", Key::Type),
    ("severity", Key::Level),
    ("lvl", Key::Level),
    ("persona", Key::Agent),
    ("persona_id", Key::Agent),
    ("agent_id", Key::Agent),
    ("session_id", Key::Session),
    ("sessionid", Key::Session),
    ("conversation", Key::Session),
    ("task_id", Key::Task),
    ("taskid", Key::Task),
    ("trace_id", Key::Trace),
    ("traceid", Key::Trace),
    ("span_id", Key::Span),
    ("spanid", Key::Span),
    ("parent_id", Key::Parent),
    ("user_id", Key::User),
    ("userid", Key::User),
    ("service", Key::Source),
];

/// Words of moments, which are asked for beside a filter.
const MOMENTS: &[&str] = &[
    "time",
    "recorded",
    "ts",
    "timestamp",
    "date",
    "since",
    "until",
    "before",
    "after",
];

/// The message for a word before a colon that is no key. `text` is the whole of what was written, up to a space.
pub(super) fn unknown_key(word: &str, text: &str) -> String {
    let quote = quote_it(text);
    let lower = word.to_lowercase();
    if word.is_empty() {
        return format!("a key is missing before `:`; {quote}");
    }
    if MOMENTS.contains(&lower.as_str()) {
        return format!(
            "`{word}` is not a filter key: give moments as `from` and `to` beside the filter; {quote}"
        );
    }
    if let Some(key) = nearest_key(&lower) {
        let key = key.as_str();
        return format!("`{word}` is not a key, the nearest is `{key}:`; {quote}");
    }
    if is_name(word) {
        let keys: Vec<&str> = Key::ALL.into_iter().map(Key::as_str).collect();
        return format!(
            "`{word}` is not a key (there are {}); a field of the payload is `data.{word}:`, one of the original's top \
             level `ext.{word}:`; {quote}",
            keys.join(", ")
        );
    }
    format!("text with a colon needs quotes; {quote}")
}

/// "to search for this text, write …".
pub(super) fn quote_it(text: &str) -> String {
    let mut quoted = String::new();
    text::quoted(&mut quoted, text);
    format!("to search for this text, write {quoted}")
}

fn nearest_key(word: &str) -> Option<Key> {
    let other = OTHER_WORDS.iter().find(|(other, _)| *other == word);
    let nearest = || {
        let distance = |key: &Key| strsim::damerau_levenshtein(key.as_str(), word);
        Key::ALL
            .into_iter()
            .min_by_key(distance)
            // One slip in a short word, two in a long one: more is another word.
            .filter(|key| distance(key) <= if key.as_str().len() > 4 { 2 } else { 1 })
    };
    other.map(|(_, key)| *key).or_else(nearest)
}

/// Whether it could be the name of a field, rather than the beginning of a URL or of a time.
fn is_name(word: &str) -> bool {
    const SCHEMES: &[&str] = &[
        "http", "https", "ws", "wss", "ftp", "file", "urn", "mailto", "nats", "redis",
    ];
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && word
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
        && !SCHEMES.contains(&word.to_lowercase().as_str())
}
