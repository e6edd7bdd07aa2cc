//! The events that a client sends, and what they do.
use std::{future::poll_fn, sync::Arc, task::Poll};

use kymo_event::{Filter, RawJson, RecordFormat, Records, json::Kind, json::string_token};
use kymo_hub::{From, Scope};

use super::{
    packet::{self, Packet},
    talk::{Answer, Happening, Stage, Talk},
    wishes::{NEWEST_MAX, View, names, string},
};
use crate::{
    engineio::End,
    error::ApiError,
    events::admit,
    params::{channels, dialect, unknown_name},
    ws::{ops, outbox::Outbox},
};

/// Replayed unless it is said how many.
const REPLAY_USUAL: usize = 100;

/// What a client may send: drives reading, and the docs.
pub(crate) static COMMANDS: &[&str] = &[
    "replay",
    "emit",
    "event",
    "subscribe",
    "unsubscribe",
    "join",
    "leave",
];

impl Talk {
    /// Does what an event asks; inside, why it does not.
    pub(super) async fn obey(
        &mut self,
        packet: &Packet<'_>,
        outbox: &mut Outbox,
    ) -> Result<Result<(), ApiError>, End> {
        let mut arguments = packet.arguments();
        let name = arguments.next().and_then(RawJson::as_string).unwrap_or_default();
        let arguments: Vec<_> = arguments.collect();
        let first = arguments.first().copied();
        match &*name {
            "emit" | "event" => Ok(self.emit(packet.id, first, outbox).await),
            "replay" => Ok(self.replay(packet.id, first, outbox).await),
            "subscribe" | "unsubscribe" | "join" | "leave" => {
                let change = self.view().and_then(|view| change(&name, view, &arguments));
                match change {
                    Ok((view, from)) => self.look(packet.id, view, from, outbox).await,
                    Err(error) => Ok(Err(error)),
                }
            }
            _ => {
                let hint = unknown_name("event", &name, COMMANDS.iter().copied()).message;
                Ok(Err(ApiError::new("unknown_op", hint)))
            }
        }
    }

    /// Stores events.
    async fn emit(
        &mut self,
        id: Option<&str>,
        records: Option<RawJson<'_>>,
        outbox: &mut Outbox,
    ) -> Result<(), ApiError> {
        let Stage::Connected(member) = &self.stage else {
            return Ok(());
        };
        member.caller.needs(Scope::Emit)?;
        let records = records.filter(|records| matches!(records.kind(), Kind::Object | Kind::Array));
        let text = records
            .map(RawJson::as_str)
            .ok_or_else(|| ApiError::new("invalid_body", "`emit` takes an event, or an array of events"))?;
        let hub = self.greeting.app.hub();
        let mut intake = hub.intake(Arc::clone(&member.caller.principal), "socketio");
        match Records::new(text.as_bytes(), RecordFormat::Json, &hub.settings().limits) {
            Ok(records) => admit(&mut intake, records, text.len(), None).await,
            Err(refusal) => intake.refuse(0, refusal),
        }
        intake.look_up_ids().await;
        let (id, bytes) = (id.map(str::to_owned), text.len());
        self.in_flight += 1;
        self.in_flight_bytes += bytes;
        let mut answer = Box::pin(async move {
            let result = intake.commit().await;
            Happening::Answered(Box::new(Answer { id, bytes, result }))
        });
        // Handed over before the next message is heard, so that they stay in order.
        let first = poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx)));
        match tokio::task::unconstrained(first).await {
            Poll::Ready(Happening::Answered(answer)) => self.answered(&answer, outbox),
            _ => self.happenings.push(answer),
        }
        Ok(())
    }

    /// Gives the newest once more.
    async fn replay(
        &mut self,
        id: Option<&str>,
        wish: Option<RawJson<'_>>,
        outbox: &mut Outbox,
    ) -> Result<(), ApiError> {
        let Stage::Connected(member) = &mut self.stage else {
            return Ok(());
        };
        member.caller.needs(Scope::Read)?;
        member.reader.replay(count(wish)?, id, outbox).await
    }

    fn view(&self) -> Result<View, ApiError> {
        match &self.stage {
            Stage::Connected(member) => {
                member.caller.needs(Scope::Read)?;
                Ok(member.reader.view.clone())
            }
            _ => Err(ApiError::closing()),
        }
    }

    /// Looks at something else from now on.
    async fn look(
        &mut self,
        id: Option<&str>,
        view: View,
        from: Option<From>,
        outbox: &mut Outbox,
    ) -> Result<Result<(), ApiError>, End> {
        let Stage::Connected(member) = &mut self.stage else {
            return Ok(Ok(()));
        };
        if let Err(error) = member.reader.look(view, from, outbox).await? {
            return Ok(Err(error));
        }
        if let Some(pid) = &member.pid {
            self.greeting.door.recovery.remember(pid, &member.reader.view);
        }
        if id.is_some() {
            let (view, from) = (&member.reader.view, member.reader.position());
            outbox.text(|out| {
                packet::begin(b'3', "/", id, out);
                out.extend_from_slice(format!("[{}]", said(view, from)).as_bytes());
            });
        }
        Ok(Ok(()))
    }
}

/// Reads what an event asks for, without doing it.
#[cfg(feature = "fuzzing")]
pub(super) fn check(arguments: &[RawJson<'_>]) -> Result<(), ApiError> {
    let Some((name, arguments)) = arguments.split_first() else {
        return Ok(());
    };
    let view = super::wishes::Wishes::default().view()?;
    match &*name.as_string().unwrap_or_default() {
        "replay" => count(arguments.first().copied()).map(drop),
        name @ ("subscribe" | "unsubscribe" | "join" | "leave") => change(name, view, arguments).map(drop),
        _ => Ok(()),
    }
}

/// What is looked at now, as JSON.
fn said(view: &View, from: Option<kymo_event::Seq>) -> String {
    let names = view.channels.as_ref().map(|channels| {
        let names: Vec<_> = channels
            .iter()
            .map(|channel| string_token(channel.name()))
            .collect();
        format!("[{}]", names.join(","))
    });
    let (filter, channels) = (
        string_token(view.filter.canonical()),
        names.unwrap_or("null".into()),
    );
    let from = from.map_or("null".into(), |from| from.to_string());
    format!("{{\"filter\":{filter},\"channels\":{channels},\"from\":{from}}}")
}

/// How many a replay asks for.
fn count(wish: Option<RawJson<'_>>) -> Result<usize, ApiError> {
    let asked = wish.and_then(|wish| wish.get("count"));
    let Some(asked) = asked.filter(|count| count.kind() != Kind::Null) else {
        return Ok(REPLAY_USUAL);
    };
    // JavaScript has one kind of number.
    let number: f64 = asked.as_str().parse().unwrap_or(f64::NAN);
    if !(number >= 0.0 && number.fract() == 0.0) {
        return Err(ApiError::parameter(
            "count",
            "`count` is a number of events, from 0 to 1000",
        ));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // it is between the two
    Ok(number.min(NEWEST_MAX as f64) as usize)
}

/// The view after `subscribe`, `unsubscribe`, `join` or `leave`, and where it begins if that is said.
fn change(name: &str, view: View, arguments: &[RawJson<'_>]) -> Result<(View, Option<From>), ApiError> {
    match name {
        "subscribe" => subscribe(view, arguments.first().copied()),
        "unsubscribe" => Ok((
            View {
                channels: Some(vec![]),
                ..view
            },
            None,
        )),
        _ => {
            let mut list = Vec::new();
            for argument in arguments {
                list.extend(names("channel", *argument)?);
            }
            if list.is_empty() {
                return Err(ApiError::parameter(
                    "channel",
                    format!("`{name}` takes names of channels"),
                ));
            }
            let named = channels(list.iter().map(String::as_str))?;
            let mut all = view.channels.unwrap_or_default();
            all.retain(|channel| !named.contains(channel));
            if name == "join" {
                all.extend(named);
            }
            // As many as there may be, however they came together.
            let all = channels(all.iter().map(kymo_event::Channel::name))?;
            Ok((
                View {
                    channels: Some(all),
                    ..view
                },
                None,
            ))
        }
    }
}

/// What is not said is everything; only the dialect stays.
fn subscribe(view: View, wish: Option<RawJson<'_>>) -> Result<(View, Option<From>), ApiError> {
    let mut view = View {
        filter: Filter::parse("")?,
        channels: None,
        ..view
    };
    let mut from = None;
    for member in wish.and_then(RawJson::members).into_iter().flatten() {
        let (name, value) = (member.name().unwrap_or_default(), member.value());
        if value.kind() == Kind::Null {
            continue;
        }
        match &*name {
            "filter" => view.filter = Filter::parse(&string(&name, value)?)?,
            "channels" => {
                let list = names(&name, value)?;
                view.channels = match list.is_empty() {
                    true => None,
                    false => Some(channels(list.iter().map(String::as_str))?),
                };
            }
            "dialect" => view.dialect = Some(dialect(&string(&name, value)?)?),
            "from" => from = Some(ops::from(value.as_str())?),
            _ => {
                let known = ["filter", "channels", "dialect", "from"];
                return Err(unknown_name("key in subscribe", &name, known.into_iter()));
            }
        }
    }
    Ok((view, from))
}
