//! The events that are sent: 350 bytes each as received, one in a hundred of a rare type.

/// Bytes of one event as received.
pub(crate) const EVENT_BYTES: usize = 350;

/// One event as JSON, numbered so that no two are alike.
pub(crate) fn event(number: u64) -> String {
    let kind = if number.is_multiple_of(100) {
        "bench.rare"
    } else {
        "bench.step"
    };
    let head = format!(
        r#"{{"type":"{kind}","source":"bench","agent":"planner","session":"3f2a","task":"demo-001","data":{{"n":{number},"shard":{},"tool":"Bash","command":"cargo test","note":""#,
        number % 10
    );
    let tail = r#""}}"#;
    let filling = EVENT_BYTES.saturating_sub(head.len() + tail.len());
    let words =
        "what the agent said about this step of its work, in some words that a person may read later; ";
    let filler: String = words.chars().cycle().take(filling).collect();
    format!("{head}{filler}{tail}")
}

/// `count` events as newline-delimited JSON.
pub(crate) fn batch(first: u64, count: u64) -> Vec<u8> {
    let mut body = Vec::with_capacity(usize::try_from(count).unwrap_or(0) * (EVENT_BYTES + 1));
    for number in first..first + count {
        body.extend_from_slice(event(number).as_bytes());
        body.push(b'\n');
    }
    body
}
