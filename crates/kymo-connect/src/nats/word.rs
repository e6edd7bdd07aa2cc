//! What a JetStream stream says to a message that it was given.

use async_nats::{Message, StatusCode};
use kymo_hub::BridgeFault;
use serde::Deserialize;

#[derive(Deserialize)]
struct Ack {
    error: Option<AckError>,
    stream: Option<String>,
    seq: Option<u64>,
}

#[derive(Deserialize)]
struct AckError {
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

/// The message is larger than the stream allows.
const MESSAGE_TOO_LARGE: u64 = 10_054;

/// What a stream says to a message; `None` if it is not the stream that answers. `broker` and `subjects` are for the fault
/// that says what to do.
pub(super) fn word_of(
    answer: &Message,
    stream: &str,
    broker: &str,
    subjects: &str,
) -> Option<Result<(), BridgeFault>> {
    if answer.status == Some(StatusCode::NO_RESPONDERS) {
        let message = format!(
            "no stream of {broker} takes subjects like \"{subjects}\": make {stream} with them, or mend `subject`"
        );
        return Some(Err(BridgeFault::new("stream_missing", message)));
    }
    let ack: Ack = serde_json::from_slice(&answer.payload).ok()?;
    let Some(error) = ack.error else {
        ack.seq?;
        return match ack.stream? {
            other if other != stream => {
                let message =
                    format!("the stream {other} takes these subjects, and not {stream}: mend `stream`");
                Some(Err(BridgeFault::new("stream_refused", message)))
            }
            _ => Some(Ok(())),
        };
    };
    let code = match error.err_code {
        MESSAGE_TOO_LARGE => "too_large",
        _ if error.description.contains("maximum") => "no_room",
        _ => "stream_refused",
    };
    Some(Err(BridgeFault::new(
        code,
        format!("the stream {stream} says: {}", error.description),
    )))
}
