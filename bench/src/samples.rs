//! Events that differ from the usual ones: of many agents, or small.

use crate::events::Event;

/// Agents, and values of `data.shard`, that events are spread over.
pub(crate) const AGENTS: u64 = 100;

const KIND: &str = "bench.step";

/// An event of 350 bytes from one of a hundred agents.
pub(crate) fn varied(number: u64) -> Event {
    let agent = number % AGENTS;
    filled(
        &format!(
            r#"{{"type":"{KIND}","source":"bench","agent":"agent-{agent}","session":"3f2a","task":"demo-001","data":{{"n":{number},"shard":{agent},"tool":"Bash","note":""#
        ),
        350,
    )
}

/// An event of `bytes` bytes as received; a hundred is the least.
pub(crate) fn sized(number: u64, bytes: usize) -> Event {
    filled(
        &format!(r#"{{"type":"{KIND}","source":"bench","data":{{"n":{number},"note":""#),
        bytes,
    )
}

/// An event of about 350 bytes with an id that its emitter gave.
pub(crate) fn named(number: u64) -> Event {
    filled(
        &format!(
            r#"{{"id":"0198c2f0-6f1e-7c55-a1c1-{number:012x}","type":"{KIND}","source":"bench","agent":"planner","session":"3f2a","data":{{"n":{number},"note":""#
        ),
        350,
    )
}

fn filled(head: &str, bytes: usize) -> Event {
    const WORDS: &str =
        "what the agent said about this step of its work, in some words that a person may read later; ";
    const TAIL: &str = r#""}}"#;
    let filling = bytes.saturating_sub(head.len() + TAIL.len());
    let mut json = String::with_capacity(bytes);
    json.push_str(head);
    json.extend(WORDS.chars().cycle().take(filling));
    json.push_str(TAIL);
    Event { json, kind: KIND }
}

/// Events `first` to before `first + count` of a sort.
pub(crate) fn many(first: u64, count: u64, event: impl Fn(u64) -> Event) -> Vec<Event> {
    (first..first + count).map(event).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_the_size_that_was_asked_for_and_are_json() {
        let events = [sized(123_456, 100), sized(1, 65_536), varied(99_999), named(7)];
        for (event, bytes) in events.iter().zip([100, 65_536, 350, 350]) {
            assert_eq!(event.json.len(), bytes);
            serde_json::from_str::<serde_json::Value>(&event.json).expect("an event is JSON");
        }
    }
}
