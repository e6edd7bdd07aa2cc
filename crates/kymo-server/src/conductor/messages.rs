//! What a client sends: events, and the state of an agent. Each becomes an event of the ledger, or is refused with a reason.
use kymo_event::{
    Event, Limits, RawJson, dialects,
    json::{Kind, string_token},
};
use kymo_hub::{BoundKey, Principal};

use crate::{error::ApiError, params::unknown_name};

/// What a message may be: drives reading, and the docs.
const TYPES: &[&str] = &["client-event", "agent-state"];

/// Where a dialect notes how a record was written.
const NOTES: &str = "kymo";
/// Where an event names no source.
const NO_SOURCE: &str = "unknown";

/// The word by which an answer is known.
pub(super) fn reference(message: RawJson<'_>) -> Option<RawJson<'_>> {
    let is_short = |value: &RawJson<'_>| {
        matches!(value.kind(), Kind::String | Kind::Number) && value.as_str().len() <= 256
    };
    message.get("ref").filter(is_short)
}

/// Reads a message; `user` is the one that the address names.
pub(super) fn read<'a>(
    message: RawJson<'a>,
    limits: &Limits,
    principal: &Principal,
    user: Option<&'a str>,
) -> Result<Event<'a>, ApiError> {
    let kind = message
        .get("type")
        .and_then(RawJson::as_string)
        .unwrap_or_default();
    let mut event = match &*kind {
        "client-event" => client_event(message, limits)?,
        "agent-state" => agent_state(message)?,
        _ => {
            return Err(ApiError {
                code: "unknown_op",
                ..unknown_name("type of message", &kind, TYPES.iter().copied())
            });
        }
    };
    // Whoever is bound to a user is that, whatever the address says.
    if event.user.is_none() && !principal.bound.contains_key(&BoundKey::User) {
        event.user = user.map(Into::into);
    }
    Ok(event)
}

/// `{"type":"client-event","event":{…}}`: what is missing of it is filled in.
fn client_event<'a>(message: RawJson<'a>, limits: &Limits) -> Result<Event<'a>, ApiError> {
    let record = message.get("event").filter(|event| event.kind() == Kind::Object);
    let record = record.ok_or_else(|| {
        ApiError::new(
            "invalid_body",
            "`client-event` has an object `event`: {\"type\":\"client-event\",\"event\":{…}}",
        )
    })?;
    // In a form of others the payload has another name.
    let is_other = record.get("payload").is_none() && record.get("data").is_some();
    if is_other {
        return Ok(dialects::detect(record).read(record, limits)?);
    }
    // What is read of a file without a type is kept as unrecognised; who sends can be asked to say it.
    match record.get("type").map(|kind| (kind.kind(), kind.as_str())) {
        None | Some((Kind::Null, _) | (Kind::String, "\"\"")) => Err(ApiError::new(
            "type_missing",
            "an event needs a `type`, such as \"node-created\"",
        )),
        Some((Kind::String, _)) => {
            let event = dialects::Dialect::read(&dialects::Conductor, record, limits)?;
            Ok(completed(event, record))
        }
        Some(_) => Err(ApiError::new("invalid_field", "`type` is a string")),
    }
}

/// A part of an event is given to all as a whole one, so it is not to come back as it came: it is an event like those that
/// came through any other door.
fn completed<'a>(mut event: Event<'a>, record: RawJson<'a>) -> Event<'a> {
    let is_there = |name| record.get(name).is_some_and(|value| value.kind() != Kind::Null);
    if is_there("id") && is_there("timestamp") {
        return event;
    }
    event.dialect = None;
    if !is_there(NOTES) {
        event.ext.retain(|(name, _)| name != NOTES);
    }
    event
}

/// `{"type":"agent-state","agentId":"…","state":{…}}`: becomes the event `agent-state-changed`.
fn agent_state(message: RawJson<'_>) -> Result<Event<'_>, ApiError> {
    let agent = message.get("agentId").or_else(|| message.get("agent"));
    let agent = agent
        .and_then(RawJson::as_string)
        .filter(|agent| !agent.is_empty());
    let (Some(agent), Some(state)) = (agent, message.get("state")) else {
        let message = "`agent-state` names an agent and its state: {\"type\":\"agent-state\",\"agentId\":\"a\",\"state\":{\"status\":\"idle\"}}";
        return Err(ApiError::new("invalid_body", message));
    };
    let source = message
        .get("source")
        .and_then(RawJson::as_string)
        .filter(|source| !source.is_empty());
    let mut event = Event::new("agent-state-changed", source.unwrap_or(NO_SOURCE.into()));
    let id = string_token(&agent);
    event.data = Some(format!("{{\"agentId\":{id},\"state\":{}}}", state.as_str()).into());
    event.agent = Some(agent);
    Ok(event)
}
