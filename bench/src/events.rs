//! The events that are sent: alike in size, no two alike in content, one in a hundred of a rare type.

/// Bytes of one event as received, unless a work says otherwise.
pub(crate) const EVENT_BYTES: usize = 350;

/// One in so many is rare.
pub(crate) const RARE: u64 = 100;

/// One event as JSON.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// The bytes that are sent.
    pub(crate) json: String,
    /// Its type, which JSON also says; some contestants want it beside the event.
    pub(crate) kind: &'static str,
}

/// Event `number`, of the usual size.
pub(crate) fn event(number: u64) -> Event {
    event_of(number, EVENT_BYTES)
}

/// Event `number`, of `bytes` bytes (or a little more, where that is too few).
pub(crate) fn event_of(number: u64, bytes: usize) -> Event {
    let kind = if number.is_multiple_of(RARE) {
        "bench.rare"
    } else {
        "bench.step"
    };
    let head = format!(
        r#"{{"type":"{kind}","source":"bench","agent":"planner","session":"3f2a","task":"demo-001","data":{{"n":{number},"shard":{},"tool":"Bash","command":"cargo test","note":""#,
        number % 10
    );
    let tail = r#""}}"#;
    let filling = bytes.saturating_sub(head.len() + tail.len());
    let words =
        "what the agent said about this step of its work, in some words that a person may read later; ";
    let filler = words.repeat(filling.div_ceil(words.len()));
    let json = format!("{head}{}{tail}", &filler[..filling]);
    Event { json, kind }
}

/// Events `first` to before `first + count`.
pub(crate) fn events(first: u64, count: u64) -> Vec<Event> {
    (first..first + count).map(event).collect()
}

/// Events as newline-delimited JSON.
pub(crate) fn lines(events: &[Event]) -> Vec<u8> {
    let mut body = Vec::with_capacity(events.iter().map(|event| event.json.len() + 1).sum());
    for event in events {
        body.extend_from_slice(event.json.as_bytes());
        body.push(b'\n');
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_the_size_that_is_asked_for() {
        for (number, bytes) in [(0, 350), (7, 350), (999_999, 350), (1_234_567, 350), (3, 65_536)] {
            let event = event_of(number, bytes);
            assert_eq!(event.json.len(), bytes);
            assert!(serde_json::from_str::<serde_json::Value>(&event.json).is_ok());
        }
    }

    #[test]
    fn one_in_a_hundred_is_rare() {
        let rare =
            |event: &&Event| event.kind == "bench.rare" && event.json.contains(r#""type":"bench.rare""#);
        assert_eq!(events(0, 1_000).iter().filter(rare).count(), 10);
    }
}
