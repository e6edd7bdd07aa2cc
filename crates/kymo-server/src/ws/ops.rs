//! What clients ask for: one JSON object per message, read in one pass, with `events` cut into records on the way.
//!
//! Keys are collected as they are met, so that a refusal of a broken message can still name its `ref` or `sub`.
use std::borrow::Cow;

use kymo_event::{
    Channel, Filter, LedgerId, Limits, RawJson, Records, Seq, Unreadable, Wrapper, dialects::Dialect,
};
use kymo_hub::From;
use serde_json::json;

use crate::{
    error::ApiError,
    params::{channels, dialect, unknown_name},
    position,
};

/// Longest `ref` that is sent back.
const REF_BYTES_MAX: usize = 256;
/// Longest `sub`.
const SUB_BYTES_MAX: usize = 256;

/// An op: drives reading, and the docs page.
pub(crate) struct Known {
    pub(crate) name: &'static str,
    /// The keys it takes besides `op`.
    keys: &'static [&'static str],
    /// What it does, in a sentence.
    pub(crate) about: &'static str,
    /// A message that works.
    pub(crate) example: &'static str,
}

/// Every op.
pub(crate) static OPS: &[Known] = &[
    Known {
        name: "auth",
        keys: &["token"],
        about: "Says who you are where no header or cookie could; answered by `hello`.",
        example: r#"{"op":"auth","token":"kymo_…"}"#,
    },
    Known {
        name: "subscribe",
        keys: &["sub", "filter", "channels", "from", "dialect"],
        about: "Sends what matches, past from `from` on (`now` if absent), then live; answered by `subscribed` with the number of the feed.",
        example: r#"{"op":"subscribe","sub":"a","filter":"type:task.*","channels":["global"],"from":{"seq":17}}"#,
    },
    Known {
        name: "unsubscribe",
        keys: &["sub"],
        about: "Ends a subscription; nothing of it follows the answer `unsubscribed`.",
        example: r#"{"op":"unsubscribe","sub":"a"}"#,
    },
    Known {
        name: "emit",
        keys: &["ref", "events", "dialect"],
        about: "Stores events; `ack` with the same `ref` is the answer of POST. Do not wait for one ack before the next emit.",
        example: r#"{"op":"emit","ref":"r1","events":[{"type":"task.started","task":"demo-001"}]}"#,
    },
    Known {
        name: "ping",
        keys: &["ref"],
        about: "Answered by `pong`.",
        example: r#"{"op":"ping","ref":"p"}"#,
    },
];

/// A message that was understood.
pub(crate) enum Op<'a> {
    Auth { token: String },
    Subscribe(Box<Subscribe>),
    Unsubscribe { sub: String },
    Emit(Emit<'a>),
    Ping,
}

/// What a reader asks for.
pub(crate) struct Subscribe {
    pub(crate) sub: String,
    pub(crate) filter: Filter,
    pub(crate) channels: Vec<Channel>,
    pub(crate) from: From,
    pub(crate) dialect: Option<&'static dyn Dialect>,
}

/// What an emitter hands over.
pub(crate) struct Emit<'a> {
    pub(crate) records: Records<'a>,
    /// Of the records as they came in.
    pub(crate) bytes: usize,
    pub(crate) dialect: Option<&'static dyn Dialect>,
}

/// The keys of a message and their values as JSON text, in the order they were met, and its records.
pub(crate) struct Message<'a>(Wrapper<'a>);

impl<'a> Message<'a> {
    /// Collects the keys of a message. What was met before a fault is there even then.
    pub(crate) fn read(text: &'a str, limits: &Limits) -> (Self, Result<(), ApiError>) {
        let (wrapper, read) = Wrapper::read(text, "events", limits);
        (Self(wrapper), read.map_err(fault))
    }

    /// `ref` or `sub` as the client wrote it, to be sent back with the answer.
    pub(crate) fn echo(&self, key: &str) -> Option<&'a str> {
        self.get(key)
            .filter(|value| value.len() <= REF_BYTES_MAX && !value.starts_with(['{', '[']))
    }

    /// What the message asks for.
    pub(crate) fn op(self) -> Result<Op<'a>, ApiError> {
        let op = self
            .string("op")?
            .ok_or_else(|| unknown_op("a message needs an `op`"))?;
        let Some(known) = OPS.iter().find(|known| known.name == op) else {
            let names = OPS.iter().map(|known| known.name);
            return Err(unknown_op(&unknown_name("op", &op, names).message));
        };
        self.check_keys(&op, known.keys)?;
        match &*op {
            "auth" => Ok(Op::Auth {
                token: self.needed("token")?.into_owned(),
            }),
            "subscribe" => self
                .subscribe()
                .map(|subscribe| Op::Subscribe(Box::new(subscribe))),
            "unsubscribe" => Ok(Op::Unsubscribe {
                sub: self.needed("sub")?.into_owned(),
            }),
            "emit" => self.emit().map(Op::Emit),
            _ => Ok(Op::Ping),
        }
    }

    fn check_keys(&self, op: &str, keys: &'static [&'static str]) -> Result<(), ApiError> {
        let members = &self.0.members;
        for (index, (key, _)) in members.iter().enumerate() {
            if key != "op" && !keys.contains(&key.as_ref()) {
                return Err(unknown_name(&format!("key in {op}"), key, keys.iter().copied()));
            }
            if members[..index].iter().any(|(other, _)| other == key) {
                return Err(ApiError::new(
                    "duplicate_key",
                    format!("`{key}` stands twice in this message"),
                ));
            }
        }
        Ok(())
    }

    fn emit(self) -> Result<Emit<'a>, ApiError> {
        let missing = || ApiError::parameter("events", "`emit` needs `events`, an array of events");
        let bytes = self.get("events").ok_or_else(missing)?.len();
        Ok(Emit {
            dialect: self.dialect()?,
            records: self.0.records.ok_or_else(missing)?,
            bytes,
        })
    }

    fn subscribe(&self) -> Result<Subscribe, ApiError> {
        let sub = self.needed("sub")?;
        if sub.len() > SUB_BYTES_MAX {
            return Err(ApiError::parameter(
                "sub",
                format!("`sub` has at most {SUB_BYTES_MAX} bytes"),
            ));
        }
        Ok(Subscribe {
            sub: sub.into_owned(),
            filter: Filter::parse(&self.string("filter")?.unwrap_or_default())?,
            channels: self.channels()?,
            from: self.get("from").map_or(Ok(From::Now), from)?,
            dialect: self.dialect()?,
        })
    }

    fn channels(&self) -> Result<Vec<Channel>, ApiError> {
        let Some(text) = self.get("channels") else {
            return Ok(vec![]);
        };
        let names: Vec<String> = serde_json::from_str(text).map_err(|_| {
            ApiError::parameter(
                "channels",
                "`channels` is an array of names, such as [\"agent:planner\"]",
            )
        })?;
        channels(names.iter().map(String::as_str))
    }

    fn dialect(&self) -> Result<Option<&'static dyn Dialect>, ApiError> {
        self.string("dialect")?.map(|name| dialect(&name)).transpose()
    }

    fn needed(&self, key: &str) -> Result<Cow<'a, str>, ApiError> {
        self.string(key)?
            .ok_or_else(|| ApiError::parameter(key, format!("`{key}` is needed here")))
    }

    fn string(&self, key: &str) -> Result<Option<Cow<'a, str>>, ApiError> {
        let must = || ApiError::parameter(key, format!("`{key}` must be a string"));
        let string = |value| RawJson::trusted(value).as_string().ok_or_else(must);
        self.get(key).map(string).transpose()
    }

    // `null` says as much as nothing.
    fn get(&self, key: &str) -> Option<&'a str> {
        let found = self.0.members.iter().find(|(known, _)| known == key);
        found.map(|(_, value)| *value).filter(|value| *value != "null")
    }
}

/// Where to begin: `"now"`, `"start"`, `{"seq":n}` (with `ledger` if known), `{"ago":"5m"}` or `{"time":"…"}`.
pub(crate) fn from(text: &str) -> Result<From, ApiError> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "lowercase", deny_unknown_fields)]
    enum Word {
        Now,
        Start,
    }
    #[derive(serde::Deserialize)]
    #[serde(untagged, deny_unknown_fields)]
    enum Place {
        Word(Word),
        Seq { seq: Seq, ledger: Option<LedgerId> },
        Ago { ago: String },
        Time { time: String },
    }
    match serde_json::from_str(text) {
        Ok(Place::Word(Word::Now)) => Ok(From::Now),
        Ok(Place::Word(Word::Start)) => Ok(From::Start),
        Ok(Place::Seq { seq, ledger }) => Ok(From::Seq(seq, ledger)),
        Ok(Place::Ago { ago }) => position::ago("from", &ago),
        Ok(Place::Time { time }) => position::time("from", &time),
        Err(_) => Err(ApiError::parameter(
            "from",
            r#"`from` is "now", "start", {"seq":n} with n from 1, {"ago":"5m"} or {"time":"2026-01-31T12:00:00Z"}"#,
        )),
    }
}

fn fault(unreadable: Unreadable) -> ApiError {
    match unreadable {
        Unreadable::Json(refusal) => {
            ApiError::new(refusal.code, refusal.message).with_detail(json!({ "byte": refusal.byte }))
        }
        Unreadable::NoObject | Unreadable::TooManyMembers => {
            unknown_op("a message is a JSON object with `op` and the few keys that it takes")
        }
    }
}

fn unknown_op(message: &str) -> ApiError {
    ApiError::new("unknown_op", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Message<'_>, Result<(), ApiError>) {
        Message::read(text, &Limits::default())
    }

    fn refusal(text: &str) -> ApiError {
        let (message, read) = read(text);
        match read.and_then(|()| message.op().map(|_| ())) {
            Ok(()) => panic!("{text} was understood"),
            Err(error) => error,
        }
    }

    #[test]
    fn events_of_an_emit_are_cut_into_records_as_they_were_written() {
        let text = r#"{"op":"emit","ref":"r\u0031","events":[{"data":1.0},{"data":"\ud800"}]}"#;
        let (message, read) = read(text);
        assert_eq!(read, Ok(()));
        assert_eq!(message.echo("ref"), Some(r#""r\u0031""#));
        let Ok(Op::Emit(emit)) = message.op() else {
            panic!("an emit")
        };
        assert_eq!(emit.bytes, r#"[{"data":1.0},{"data":"\ud800"}]"#.len());
        let records = emit.records.map(|record| record.value.map(RawJson::as_str));
        let expected = [r#"{"data":1.0}"#, r#"{"data":"\ud800"}"#].map(Ok);
        assert_eq!(records.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_broken_message_still_names_what_it_is_about() {
        let (message, read) = read(r#"{"op":"emit","ref":"r1","events":[nul]}"#);
        let error = read.expect_err("broken");
        assert_eq!(
            (error.code, message.echo("ref")),
            ("invalid_json", Some("\"r1\""))
        );
        assert_eq!(error.detail, Some(json!({ "byte": 37 })));
    }

    #[test]
    fn the_examples_of_the_docs_are_understood() {
        for known in OPS {
            let (message, read) = read(known.example);
            assert_eq!(
                read.and_then(|()| message.op().map(|_| ())),
                Ok(()),
                "{}",
                known.example
            );
        }
    }

    #[test]
    fn places_to_begin_are_understood() {
        assert_eq!(from("\"now\""), Ok(From::Now));
        assert_eq!(from("\"start\""), Ok(From::Start));
        assert_eq!(from(r#"{"seq":3}"#), Ok(From::Seq(Seq::FIRST.plus(2), None)));
        let elsewhere = From::Seq(Seq::FIRST, Some(LedgerId::new("l")));
        assert_eq!(from(r#"{"seq":1,"ledger":"l"}"#), Ok(elsewhere));
        assert_eq!(from(r#"{"ago":"5m"}"#), Ok(From::Ago(300_000_000)));
        for text in [
            "3",
            "\"later\"",
            r#"{"seq":0}"#,
            r#"{"seq":-1}"#,
            "{}",
            r#"{"ago":5}"#,
            r#"{"ago":"x"}"#,
        ] {
            assert_eq!(
                from(text).map_err(|error| error.code),
                Err("invalid_parameter"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_with_a_hint() {
        assert_eq!(refusal("[]").code, "unknown_op");
        assert_eq!(refusal("{}").code, "unknown_op");
        assert!(
            refusal(r#"{"op":"subscibe"}"#)
                .message
                .contains("did you mean `subscribe`?")
        );
        assert!(
            refusal(r#"{"op":"subscribe","sub":"a","form":"now"}"#)
                .message
                .contains("did you mean `from`?")
        );
        assert_eq!(refusal(r#"{"op":"ping","ref":1,"ref":2}"#).code, "duplicate_key");
        assert_eq!(refusal(r#"{"op":"subscribe"}"#).code, "invalid_parameter");
        assert_eq!(refusal(r#"{"op":"emit","ref":"r"}"#).code, "invalid_parameter");
        assert_eq!(
            refusal(r#"{"op":"subscribe","sub":"a","channels":"x"}"#).code,
            "invalid_parameter"
        );
        assert_eq!(refusal("{\"op\":\"ping\"} {}").code, "invalid_json");
    }
}
