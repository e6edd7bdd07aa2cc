//! CloudEvents over HTTP: which mode a request is in, and binary mode's headers and body.
use std::borrow::Cow;

use base64::Engine as _;

use super::attributes::{Reader, refuse};
use crate::{Event, Limits, RawJson, Refusal, json::string_token, records::too_large};

/// How a request carries CloudEvents.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// `application/cloudevents+json`
    Structured,
    /// `application/cloudevents-batch+json`
    Batch,
    /// Attributes in `ce-` headers, the body is the data.
    Binary,
}

/// Decides by Content-Type and whether a `ce-specversion` header is there; `None`: not CloudEvents.
#[must_use]
pub fn mode(content_type: Option<&str>, has_ce_headers: bool) -> Option<Mode> {
    let content_type = content_type.unwrap_or_default().trim_start();
    let begins = |prefix: &str| {
        content_type
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    // The longer name first: the shorter one is its prefix.
    if begins("application/cloudevents-batch") {
        Some(Mode::Batch)
    } else if begins("application/cloudevents") {
        Some(Mode::Structured)
    } else {
        has_ce_headers.then_some(Mode::Binary)
    }
}

/// Reads binary mode: header pairs (lower-case names, raw values) and the body. Headers without `ce-` are passed over.
///
/// A JSON body is the data; text is the data as a string; all else is kept as `data_base64`. Without a Content-Type a
/// body that is JSON counts as such.
pub fn read_binary<'a>(
    content_type: Option<&str>,
    headers: &mut dyn Iterator<Item = (&str, &[u8])>,
    body: &'a [u8],
    limits: &Limits,
) -> Result<Event<'a>, Refusal> {
    too_large(body.len(), limits.event_bytes_max)?;
    let mut reader = Reader::new(limits);
    for (name, value) in headers {
        if let Some(name) = name.strip_prefix("ce-") {
            attribute(&mut reader, name, value)?;
        }
    }
    let content_type = content_type
        .map(str::trim)
        .filter(|content_type| !content_type.is_empty());
    if let Some(content_type) = content_type {
        reader.attribute(
            Cow::Borrowed("datacontenttype"),
            Cow::Owned(string_token(content_type)),
        )?;
    }
    if !body.is_empty() {
        let (name, token) = payload(content_type, body, limits)?;
        reader.attribute(Cow::Borrowed(name), token)?;
    }
    reader.finish()
}

fn attribute(reader: &mut Reader<'_, '_>, name: &str, value: &[u8]) -> Result<(), Refusal> {
    match name {
        "datacontenttype" => return Err(refuse(name, "belongs into the Content-Type header")),
        "data" | "data_base64" => return Err(refuse(name, "belongs into the body")),
        _ => {}
    }
    let value = header_text(value).ok_or_else(|| refuse(name, "must be UTF-8 in percent-encoding"))?;
    // Headers have no types of their own; these are numbers and a truth wherever else they stand.
    let typed = matches!(name, "cause" | "hops" | "backfill") && RawJson::parse(&value, 0).is_ok();
    let token = if typed { value } else { string_token(&value) };
    reader.attribute(Cow::Owned(name.to_string()), Cow::Owned(token))
}

/// A header's value: taken out of its quotes if it has them, then percent-decoded once.
fn header_text(value: &[u8]) -> Option<String> {
    let value = value.trim_ascii();
    let unquoted = match value {
        [b'"', inside @ .., b'"'] => unescape(inside),
        _ => value.to_vec(),
    };
    String::from_utf8(percent_decode(&unquoted)).ok()
}

fn unescape(inside: &[u8]) -> Vec<u8> {
    let mut bytes = inside.iter();
    std::iter::from_fn(|| match bytes.next() {
        Some(b'\\') => bytes.next().or(Some(&b'\\')),
        other => other,
    })
    .copied()
    .collect()
}

/// A percent sign that no two digits follow stays what it is.
fn percent_decode(bytes: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        let pair = (*first == b'%')
            .then(|| Some((digit(*after.first()?)?, digit(*after.get(1)?)?)))
            .flatten();
        out.push(pair.map_or(*first, |(high, low)| high << 4 | low));
        rest = if pair.is_some() { &after[2..] } else { after };
    }
    out
}

fn payload<'a>(
    content_type: Option<&str>,
    body: &'a [u8],
    limits: &Limits,
) -> Result<(&'static str, Cow<'a, str>), Refusal> {
    let lower = content_type.unwrap_or_default().to_ascii_lowercase();
    let essence = lower.split(';').next().unwrap_or_default().trim();
    let json = matches!(essence, "application/json" | "text/json") || essence.ends_with("+json");
    if json || content_type.is_none() {
        match (json_value(body, limits), json) {
            (Ok(value), _) => return Ok(("data", Cow::Borrowed(value.as_str()))),
            (Err(refusal), true) => return Err(refusal),
            (Err(_), false) => {}
        }
    }
    let text = essence.starts_with("text/") || essence.ends_with("+xml") || essence == "application/xml";
    let other_charset = lower.contains("charset=") && !lower.contains("utf-8") && !lower.contains("us-ascii");
    match std::str::from_utf8(body) {
        Ok(body) if text && !other_charset => Ok(("data", Cow::Owned(string_token(body)))),
        _ => {
            let base64 = base64::engine::general_purpose::STANDARD.encode(body);
            Ok(("data_base64", Cow::Owned(string_token(&base64))))
        }
    }
}

fn json_value<'a>(body: &'a [u8], limits: &Limits) -> Result<RawJson<'a>, Refusal> {
    let text = std::str::from_utf8(body).map_err(crate::records::invalid_utf8)?;
    RawJson::parse(text, limits.nesting_max)
}
