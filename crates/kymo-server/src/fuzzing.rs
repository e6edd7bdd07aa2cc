//! Checks of the parsers in here over any bytes, for the fuzz targets. Each panics where a promise is broken.

use std::{path::Path, sync::OnceLock, task};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use kymo_event::{LedgerId, Limits, Micros, dialects::cloudevents};
use kymo_hub::From;

use crate::{
    auth::Auth,
    budget::Budget,
    error::{ApiError, CODES},
    events::{EMIT_PARAMETERS, HISTORY_PARAMETERS, form::Form},
    gate::Gate,
    inflate::{Encoding, inflate},
    params::{Parameter, Params},
    position,
    settings::ServerSettings,
    stream, ws,
};
pub use crate::{
    conductor::fuzzing::conductor,
    socketio::fuzzing::packets,
    ws::fuzzing::{frames, ops},
};

/// A refusal has a code that clients can look up.
pub(crate) fn is_listed(error: &ApiError) {
    assert!(
        CODES.iter().any(|known| known.name == error.code),
        "{} is not listed",
        error.code
    );
    assert!(!error.message.is_empty());
}

/// A request: its target, a line for each header, and behind an empty line its body.
pub fn request(folder: &Path, bytes: &[u8]) {
    let end = bytes
        .windows(2)
        .position(|pair| pair == b"\n\n")
        .unwrap_or(bytes.len());
    let (head, body) = bytes.split_at(end);
    let mut lines = head.split(|byte| *byte == b'\n');
    let target = std::str::from_utf8(lines.next().unwrap_or_default()).unwrap_or_default();
    let (path, query) = target
        .split_once('?')
        .map_or((target, None), |(path, query)| (path, Some(query)));
    let headers: HeaderMap = lines.filter_map(field).collect();
    for known in [EMIT_PARAMETERS, HISTORY_PARAMETERS, stream::PARAMETERS] {
        parameters(query, known);
    }
    place(path);
    if let Some(id) = headers.get("last-event-id").and_then(|id| id.to_str().ok()) {
        behind(id);
    }
    names(&target.parse().unwrap_or_default(), &headers);
    strangers(folder, &headers);
    ws::fuzzing::upgrade(&headers);
    form(&headers, body);
}

fn field(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = HeaderName::from_bytes(&line[..colon]).ok()?;
    Some((
        name,
        HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?,
    ))
}

fn parameters(query: Option<&str>, known: &[Parameter]) {
    let params = match Params::parse(query, known) {
        Ok(params) => params,
        Err(error) => return is_listed(&error),
    };
    let read = [
        params.filter().map(drop),
        params.channels().map(drop),
        params.dialect().map(drop),
    ];
    read.iter()
        .filter_map(|read| read.as_ref().err())
        .for_each(is_listed);
    for name in ["from", "to"] {
        params.get(name).into_iter().for_each(place);
    }
    params.get("last_event_id").into_iter().for_each(behind);
}

/// A place says what its text says.
fn place(text: &str) {
    let ledger = Some(LedgerId::new("l"));
    match position::parse("from", text, ledger.clone()) {
        Ok(From::Now) => assert_eq!(text, "now"),
        Ok(From::Start) => assert_eq!(text, "start"),
        Ok(From::Seq(seq, of)) => assert_eq!((text.parse().ok(), ledger), (Some(seq), of)),
        Ok(From::Time(time)) => assert_eq!(Micros::parse(text), Ok(time)),
        Ok(From::Ago(micros)) => assert!(text.starts_with('-') && micros >= 0),
        Err(error) => is_listed(&error),
    }
}

fn behind(id: &str) {
    match position::behind(id, None) {
        Ok(From::Seq(next, _)) => assert_eq!(id.trim().parse().ok(), next.get().checked_sub(1)),
        Ok(other) => panic!("{id} is no {other:?}"),
        Err(error) => is_listed(&error),
    }
}

/// Who is let in asked for a name that nobody else can have.
fn names(uri: &Uri, headers: &HeaderMap) {
    match Gate::new(&ServerSettings::default()).check(uri.authority(), headers) {
        Ok(entry) => {
            assert!(entry.foreign_origin.is_none());
            let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
            let host = host
                .expect("a request that enters has a host")
                .to_ascii_lowercase();
            let name = match host.strip_prefix('[') {
                Some(rest) => rest.split(']').next(),
                None => host.split(':').next(),
            };
            let name = name.unwrap_or_default();
            let address = name.parse::<std::net::IpAddr>();
            assert!(
                name == "localhost" || address.is_ok_and(|address| address.is_loopback()),
                "{host}"
            );
        }
        Err(error) => is_listed(&error),
    }
}

/// No headers that somebody makes up let anybody in, and beside them a good token or cookie still does.
fn strangers(folder: &Path, headers: &HeaderMap) {
    static AUTH: OnceLock<Auth> = OnceLock::new();
    let auth =
        AUTH.get_or_init(|| Auth::open(folder, &LedgerId::new("l")).expect("the folder can be written"));
    match auth.identify(headers) {
        Ok(caller) => panic!("{} was let in", caller.principal.name),
        Err(error) => is_listed(&error),
    }
    let mut headers = headers.clone();
    headers.remove(header::AUTHORIZATION);
    let set = auth.cookie();
    let pair = set.to_str().expect("ASCII").split(';').next().expect("a pair");
    headers.append(header::COOKIE, pair.parse().expect("a header"));
    assert!(auth.identify(&headers).is_ok());
}

fn form(headers: &HeaderMap, body: &[u8]) {
    Encoding::of(headers)
        .map(drop)
        .unwrap_or_else(|error| is_listed(&error));
    match Form::of(headers) {
        Ok(Form::Records(..)) => {}
        Ok(Form::Binary) => {
            let content_type = headers
                .get(header::CONTENT_TYPE)
                .and_then(|value| value.to_str().ok());
            let mut fields = headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_bytes()));
            match cloudevents::read_binary(content_type, &mut fields, body, &Limits::default()) {
                Ok(event) => {
                    assert!(event.id.is_some() && !event.kind.is_empty() && !event.source.is_empty())
                }
                Err(refusal) => is_listed(&refusal.into()),
            }
        }
        Err(error) => is_listed(&error),
    }
}

/// A compressed body: the first byte says how and how much is allowed. Nothing beyond that is ever held.
pub fn body(bytes: &[u8]) {
    let Some((&first, body)) = bytes.split_first() else {
        return;
    };
    let (encoding, max) = match first & 1 {
        0 => (Encoding::Gzip, usize::from(first) << 6),
        _ => (Encoding::Zstd, usize::from(first) << 6),
    };
    let budget = Budget::default();
    match at_once(inflate(encoding, body, max, &budget)) {
        Ok(held) => assert!(held.len() <= max),
        Err(error) => is_listed(&error),
    }
}

/// Runs what never waits for anything outside.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = task::Context::from_waker(task::Waker::noop());
    loop {
        if let task::Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
    }
}
