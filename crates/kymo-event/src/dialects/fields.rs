//! Reads single fields of a record into the envelope, with the same rules and the same words in every dialect.
use std::borrow::Cow;

use crate::{
    Event, Level, Limits, Micros, RawJson, Refusal, Seq,
    json::{Kind, Member},
    time::Rfc3339,
};

/// The correlation keys.
pub(super) fn text_slot<'e, 'a>(event: &'e mut Event<'a>, key: &str) -> Option<&'e mut Option<Cow<'a, str>>> {
    Some(match key {
        "agent" => &mut event.agent,
        "session" => &mut event.session,
        "task" => &mut event.task,
        "trace" => &mut event.trace,
        "span" => &mut event.span,
        "parent" => &mut event.parent,
        "user" => &mut event.user,
        "tier" => &mut event.tier,
        _ => return None,
    })
}

/// What is said of a value that is no object.
pub(super) fn not_an_event(found: Kind) -> Refusal {
    let message = format!(
        "an event is a JSON object and this is {}: wrap it, for example as {{\"type\":…,\"data\":…}}",
        found.in_words()
    );
    Refusal::new("not_an_event", message).at(0)
}

/// A string; `None` for null.
#[inline]
pub(super) fn text<'a>(key: &str, member: &Member<'a>) -> Result<Option<Cow<'a, str>>, Refusal> {
    match member.text() {
        Some(text) => Ok(Some(text)),
        None => no_text(key, member.kind()),
    }
}

#[cold]
fn no_text<'a>(key: &str, found: Kind) -> Result<Option<Cow<'a, str>>, Refusal> {
    match found {
        Kind::Null => Ok(None),
        Kind::String => Err(invalid(key, "text", "text with half a surrogate pair in it")),
        other => Err(invalid(key, "text", other.in_words())),
    }
}

pub(super) fn invalid(key: &str, expected: &str, found: &str) -> Refusal {
    Refusal::new(
        "invalid_field",
        format!("`{key}` must be {expected} and is {found}: correct it, or move it into data"),
    )
}

/// `type` and `source`.
#[inline]
pub(super) fn check_name(key: &str, text: &str, limits: &Limits) -> Result<(), Refusal> {
    check_length("name_too_long", key, text, limits.name_bytes_max)
}

/// `id` and the correlation keys.
#[inline]
pub(super) fn check_id(key: &str, text: &str, limits: &Limits) -> Result<(), Refusal> {
    check_length("id_too_long", key, text, limits.id_bytes_max)
}

fn check_length(code: &'static str, key: &str, text: &str, limit: usize) -> Result<(), Refusal> {
    if text.len() <= limit {
        return Ok(());
    }
    let message = format!(
        "`{key}` is {} bytes and {limit} are allowed: shorten it, or put it into data",
        text.len()
    );
    Err(Refusal::new(code, message))
}

/// A whole number up to `max`; `None` for null.
pub(super) fn whole(key: &str, value: RawJson<'_>, min: u64, max: u64) -> Result<Option<u64>, Refusal> {
    if value.kind() == Kind::Null {
        return Ok(None);
    }
    match value.as_str().parse::<u64>() {
        Ok(number) if (min..=max).contains(&number) => Ok(Some(number)),
        _ => Err(invalid(
            key,
            &format!("a whole number from {min} to {max}"),
            short(value.as_str()),
        )),
    }
}

pub(super) fn cause(value: RawJson<'_>) -> Result<Option<Seq>, Refusal> {
    Ok(whole("cause", value, 1, u64::MAX)?.and_then(Seq::new))
}

pub(super) fn hops(value: RawJson<'_>) -> Result<Option<u8>, Refusal> {
    let hops = whole("hops", value, 0, u64::from(u8::MAX))?;
    Ok(hops.map(|hops| u8::try_from(hops).expect("the range was checked")))
}

pub(super) fn yes_or_no(key: &str, value: RawJson<'_>) -> Result<bool, Refusal> {
    match value.as_str() {
        "true" => Ok(true),
        "false" | "null" => Ok(false),
        other => Err(invalid(key, "true or false", Kind::of(other).in_words())),
    }
}

/// A value in our form, and whether it alone tells what the original told.
pub(super) struct Normal<T> {
    pub(super) value: T,
    pub(super) exact: bool,
}

/// A level word. A word nobody knows counts as info; the original is kept, so nothing is lost by taking the event.
pub(super) fn level(member: &Member<'_>) -> Result<Option<Normal<Level>>, Refusal> {
    let Some(word) = text("level", member)? else {
        return Ok(None);
    };
    if let Some(value) = Level::from_word(&word) {
        return Ok(Some(Normal { value, exact: true }));
    }
    Ok(Some(Normal {
        value: Level::parse(&word).unwrap_or_default(),
        exact: false,
    }))
}

/// RFC 3339 text or an epoch number. `exact` where the moment tells the same: it was UTC and no finer than microseconds.
pub(super) fn time(member: &Member<'_>) -> Result<Option<Normal<Micros>>, Refusal> {
    let token = member.value().as_str();
    let refuse = |reason: &str| {
        let message = format!(
            "`time` {} is {reason}; leave it out to have the time of arrival",
            short(token)
        );
        Refusal::new("invalid_time", message)
    };
    match member.kind() {
        Kind::Null => Ok(None),
        Kind::Number => match Micros::from_epoch_number(token) {
            Ok(value) => Ok(Some(Normal { value, exact: false })),
            Err(error) => Err(refuse(&error.to_string())),
        },
        Kind::String => {
            let text = member.text().ok_or_else(|| refuse("not text"))?;
            let time = Rfc3339::parse(&text).map_err(|error| refuse(&error.to_string()))?;
            Ok(Some(Normal {
                value: time.moment,
                exact: time.exact,
            }))
        }
        other => Err(refuse(&format!(
            "{} where RFC 3339 text or a number is expected",
            other.in_words()
        ))),
    }
}

/// A token as messages show it.
pub(super) fn short(token: &str) -> &str {
    let end = token.char_indices().nth(60).map_or(token.len(), |(at, _)| at);
    &token[..end]
}

/// Puts a field into `ext` as it came.
pub(super) fn keep<'a>(event: &mut Event<'a>, member: &Member<'a>) {
    let name = member.name().unwrap_or_default();
    event.ext.push((name, Cow::Borrowed(member.value().as_str())));
}

/// Refuses an `ext` in which a name occurs twice: of two values under one name, no reader could say which is meant.
pub(super) fn check_ext(event: &Event<'_>) -> Result<(), Refusal> {
    let names = event.ext.iter().map(|(name, _)| name.as_ref());
    match repeated(names) {
        Some(name) => Err(duplicate_key(name)),
        None => Ok(()),
    }
}

pub(super) fn duplicate_key(name: &str) -> Refusal {
    let message = format!("the key `{}` comes twice: keep one of them", short(name));
    Refusal::new("duplicate_key", message)
}

/// A name that occurs again after its first place.
pub(super) fn repeated<'n>(names: impl ExactSizeIterator<Item = &'n str> + Clone) -> Option<&'n str> {
    // Few names are compared with each other; many, as an attacker may send, go through a set.
    if names.len() <= 16 {
        let mut rest = names;
        while let Some(name) = rest.next() {
            if rest.clone().any(|other| other == name) {
                return Some(name);
            }
        }
        return None;
    }
    let mut seen = std::collections::HashSet::with_capacity(names.len());
    names.into_iter().find(|name| !seen.insert(*name))
}
