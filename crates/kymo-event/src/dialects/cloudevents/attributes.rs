//! The attributes of a CloudEvent: what each may hold, and where in the envelope it goes.
use std::borrow::Cow;

use base64::Engine as _;

use super::NAME;
use crate::{
    Event, Level, Limits, Micros, RawJson, Refusal, Seq,
    dialects::fields::{self, text_slot},
    json::Kind,
};

/// The refusal that names the attribute and says what is wrong with it.
pub(super) fn refuse(name: &str, why: &str) -> Refusal {
    let message = format!("not a CloudEvent: attribute `{}` {why}", fields::short(name));
    Refusal::new("not_cloudevents", message)
}

/// Takes attributes one by one, from a JSON object or from headers.
pub(super) struct Reader<'a, 'l> {
    event: Event<'a>,
    names: Vec<Cow<'a, str>>,
    limits: &'l Limits,
}

impl<'a, 'l> Reader<'a, 'l> {
    pub(super) fn new(limits: &'l Limits) -> Self {
        let mut event = Event::new("", "");
        event.dialect = Some(Cow::Borrowed(NAME));
        Self {
            event,
            names: Vec::with_capacity(8),
            limits,
        }
    }

    /// Takes an attribute, or `data`, as a checked JSON token.
    pub(super) fn attribute(&mut self, name: Cow<'a, str>, token: Cow<'a, str>) -> Result<(), Refusal> {
        self.names.push(name.clone());
        let limits = self.limits;
        match name.as_ref() {
            "specversion" if text_of(&token).as_deref() == Some("1.0") => Ok(()),
            "specversion" => Err(refuse("specversion", "must be \"1.0\"")),
            "id" => {
                let id = filled("id", &token)?;
                fields::check_id("id", &id, limits)?;
                self.event.id = Some(id);
                Ok(())
            }
            "type" => {
                self.event.kind = filled("type", &token)?;
                fields::check_name("type", &self.event.kind, limits)
            }
            "source" => {
                self.event.source = filled("source", &token)?;
                fields::check_name("source", &self.event.source, limits)
            }
            "data" => {
                self.event.data = Some(token);
                Ok(())
            }
            "time" => self.time(name, token),
            _ => {
                check(&name, &token)?;
                self.extension(name, token)
            }
        }
    }

    pub(super) fn finish(self) -> Result<Event<'a>, Refusal> {
        let has = |name: &str| self.names.iter().any(|seen| seen == name);
        if let Some(name) = fields::repeated(self.names.iter().map(AsRef::as_ref)) {
            return Err(fields::duplicate_key(name));
        }
        for required in ["specversion", "id", "source", "type"] {
            if !has(required) {
                return Err(refuse(required, "is missing"));
            }
        }
        if has("data") && self.event.ext("data_base64").is_some_and(|token| token != "null") {
            return Err(refuse("data_base64", "cannot be there together with data"));
        }
        Ok(self.event)
    }

    fn time(&mut self, name: Cow<'a, str>, token: Cow<'a, str>) -> Result<(), Refusal> {
        if token != "null" {
            let text = text_of(&token).ok_or_else(|| refuse("time", "must be RFC 3339 text"))?;
            let time = Micros::parse(&text).map_err(|error| refuse("time", &format!("is {error}")))?;
            self.event.time = Some(time);
            if shortest(time) == text {
                return Ok(());
            }
        }
        self.event.ext.push((name, token));
        Ok(())
    }

    /// An attribute that means what a key of ours means becomes that key. Where the key alone could not give the
    /// attribute back, it is in `ext` as well.
    fn extension(&mut self, name: Cow<'a, str>, token: Cow<'a, str>) -> Result<(), Refusal> {
        let event = &mut self.event;
        let value = RawJson::trusted(&token);
        let told = match name.as_ref() {
            "level" => text_of(&token).is_some_and(|word| {
                event.level = Level::parse(&word).unwrap_or_default();
                event.level != Level::Info && event.level.as_str() == word
            }),
            "cause" => {
                // Too large for an Integer of theirs, it is given and taken as text.
                let text = text_of(&token).filter(|digits| digits.parse::<i32>().is_err());
                let number = text.as_deref().unwrap_or(&token);
                event.cause = number
                    .parse()
                    .ok()
                    .filter(|cause: &Seq| cause.to_string() == number);
                event.cause.is_some()
            }
            "hops" => {
                event.hops = fields::hops(value).ok().flatten();
                event.hops.is_some()
            }
            "backfill" => {
                event.backfill = token == "true";
                event.backfill
            }
            key => match (text_slot(event, key), text_of(&token)) {
                (Some(slot), Some(text)) => {
                    fields::check_id(key, &text, self.limits)?;
                    *slot = Some(text);
                    true
                }
                _ => false,
            },
        };
        if !told {
            event.ext.push((name, token));
        }
        Ok(())
    }
}

/// What a string token says; `None` for other values.
fn text_of<'a>(token: &Cow<'a, str>) -> Option<Cow<'a, str>> {
    match token {
        Cow::Borrowed(token) => RawJson::trusted(token).as_string(),
        Cow::Owned(token) => RawJson::trusted(token)
            .as_string()
            .map(|text| Cow::Owned(text.into_owned())),
    }
}

fn filled<'a>(name: &str, token: &Cow<'a, str>) -> Result<Cow<'a, str>, Refusal> {
    text_of(token)
        .filter(|text| !text.is_empty())
        .ok_or_else(|| refuse(name, "must be text that is not empty"))
}

/// The rules for everything but the attributes that have a key of ours. Null is allowed wherever absence is.
fn check(name: &str, token: &str) -> Result<(), Refusal> {
    let value = RawJson::trusted(token);
    if value.kind() == Kind::Null && (name == "data_base64" || is_name(name)) {
        return Ok(());
    }
    let text = || value.as_string().filter(|text| !text.is_empty());
    match name {
        "datacontenttype" if text().is_some_and(|text| is_media_type(&text)) => Ok(()),
        "datacontenttype" => Err(refuse(name, "must be a media type such as application/json")),
        "dataschema" | "subject" if text().is_some() => Ok(()),
        "dataschema" | "subject" => Err(refuse(name, "must be text that is not empty")),
        "data_base64" if value.as_string().is_some_and(|text| is_base64(&text)) => Ok(()),
        "data_base64" => Err(refuse(name, "must be text in base64")),
        _ if !is_name(name) => Err(refuse(
            name,
            "must be named by lower-case letters and digits alone",
        )),
        _ => match value.kind() {
            Kind::Bool => Ok(()),
            Kind::String if value.as_string().is_some() => Ok(()),
            Kind::Number if token.parse::<i32>().is_ok() => Ok(()),
            Kind::Number => Err(refuse(
                name,
                "must be a whole number of 32 bits, if it is a number",
            )),
            other => Err(refuse(
                name,
                &format!(
                    "must be text, a whole number, true or false, and is {}",
                    other.in_words()
                ),
            )),
        },
    }
}

/// Whether a field of an event from elsewhere can stand as an attribute: valid, and not the name of another.
pub(super) fn is_free(name: &str, token: &str) -> bool {
    const TAKEN: [&str; 22] = [
        "specversion",
        "id",
        "source",
        "type",
        "time",
        "level",
        "agent",
        "session",
        "task",
        "trace",
        "span",
        "parent",
        "user",
        "tier",
        "cause",
        "hops",
        "backfill",
        "data",
        "data_base64",
        "dialect",
        "enc",
        "kymoext",
    ];
    !TAKEN.contains(&name) && check(name, token).is_ok()
}

/// Whether an event can be given out as the CloudEvent it says it was: each field beside its keys is a valid attribute, and
/// none is there a second time. Of what arrived as a CloudEvent this holds; others may say what they like.
pub(super) fn is_own(event: &Event<'_>) -> bool {
    let fits = |name: &str, token: &str| match name {
        "specversion" | "id" | "source" | "type" | "data" => false,
        "data_base64" => (event.data.is_none() || token == "null") && check(name, token).is_ok(),
        "time" => {
            let text = RawJson::trusted(token).as_string();
            token == "null" || text.is_some_and(|text| Micros::parse(&text).is_ok())
        }
        "cause" => event.cause.is_none() && check(name, token).is_ok(),
        "hops" => event.hops.is_none() && check(name, token).is_ok(),
        "backfill" => !event.backfill && check(name, token).is_ok(),
        _ => !event.correlation().any(|(key, _)| key == name) && check(name, token).is_ok(),
    };
    event.dialect.as_deref() == Some(NAME)
        && event.enc.is_none()
        && event.ext.iter().all(|(name, token)| fits(name, token))
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// `type/subtype`, whatever parameters follow.
fn is_media_type(text: &str) -> bool {
    let essence = text.split(';').next().unwrap_or_default().trim_end();
    let is_token = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    essence
        .split_once('/')
        .is_some_and(|(main, sub)| is_token(main) && is_token(sub))
}

fn is_base64(text: &str) -> bool {
    base64::engine::general_purpose::STANDARD.decode(text).is_ok()
}

/// A moment as most emitters write it: UTC, and no more digits than it needs.
pub(super) fn shortest(time: Micros) -> String {
    let canonical = time.to_string();
    let digits = canonical
        .trim_end_matches('Z')
        .trim_end_matches('0')
        .trim_end_matches('.');
    format!("{digits}Z")
}
