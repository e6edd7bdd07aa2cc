//! The words of the server: every op that is no frame of events, appended as JSON text.
use kymo_event::{LedgerId, Seq};
use kymo_hub::{Receipt, Subscriber};
use kymo_ledger::Gap;

use crate::{error::ApiError, events::write_gap};

/// Version of the protocol.
const PROTOCOL: u32 = 1;

/// Who this is, once the client may know.
pub(crate) fn hello(ledger: &LedgerId, head: Option<Seq>, out: &mut Vec<u8>) {
    let (head, version) = (number(head), env!("CARGO_PKG_VERSION"));
    out.extend_from_slice(b"{\"op\":\"hello\"");
    add(
        out,
        format_args!(
            ",\"protocol\":{PROTOCOL},\"ledger\":\"{ledger}\",\"head\":{head},\"version\":\"{version}\"}}"
        ),
    );
}

/// A subscription began.
pub(crate) fn subscribed(sub: &str, subscriber: &Subscriber, head: Option<Seq>, out: &mut Vec<u8>) {
    let (sub, head) = (quoted(sub), number(head));
    let (feed, from) = (subscriber.feed(), subscriber.from());
    out.extend_from_slice(b"{\"op\":\"subscribed\"");
    add(
        out,
        format_args!(",\"sub\":{sub},\"feed\":{feed},\"from\":{from},\"head\":{head}}}"),
    );
}

/// A subscription ended.
pub(crate) fn unsubscribed(sub: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"op\":\"unsubscribed\"");
    add(out, format_args!(",\"sub\":{}}}", quoted(sub)));
}

/// Everything up to `cursor` is sent.
pub(crate) fn caught_up(feed: u32, cursor: Option<Seq>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"op\":\"caught_up\"");
    add(
        out,
        format_args!(",\"feed\":{feed},\"cursor\":{}}}", number(cursor)),
    );
}

/// The reader is served from disk for a while.
pub(crate) fn fell_behind(feed: u32, cursor: Option<Seq>, lag_events: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"op\":\"fell_behind\"");
    add(
        out,
        format_args!(
            ",\"feed\":{feed},\"cursor\":{},\"lag_events\":{lag_events}}}",
            number(cursor)
        ),
    );
}

/// Events are gone.
pub(crate) fn gap(feed: u32, gap: &Gap, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"op\":\"gap\"");
    add(out, format_args!(",\"feed\":{feed},"));
    write_gap(gap, out);
    out.push(b'}');
}

/// Events are stored; `reference` is JSON text.
pub(crate) fn ack(reference: Option<&str>, receipt: &Receipt, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"op\":\"ack\",");
    if let Some(reference) = reference {
        out.extend_from_slice(b"\"ref\":");
        out.extend_from_slice(reference.as_bytes());
        out.push(b',');
    }
    receipt.write_members(out);
    out.push(b'}');
}

/// The answer to a ping; `reference` is JSON text.
pub(crate) fn pong(reference: Option<&str>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"op\":\"pong\"");
    if let Some(reference) = reference {
        add(out, format_args!(",\"ref\":{reference}"));
    }
    out.push(b'}');
}

/// What an error is about: a name and JSON text.
pub(crate) type About<'a> = Option<(&'static str, &'a str)>;

/// Something was refused.
pub(crate) fn error(about: About<'_>, error: &ApiError, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"op\":\"error\",");
    if let Some((key, value)) = about {
        add(out, format_args!("\"{key}\":{value},"));
    }
    error.write_fields(out);
    out.push(b'}');
}

// An empty ledger has no seq; its cursor is 0, so that a reader resumes at 1.
fn number(seq: Option<Seq>) -> u64 {
    seq.map_or(0, Seq::get)
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string is JSON")
}

fn add(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    std::io::Write::write_fmt(out, text).expect("memory takes every byte");
}

#[cfg(test)]
mod tests {
    use super::*;
    use kymo_hub::Rejected;
    use kymo_ledger::{Durability, GapReason};
    use serde_json::{Value, json};

    fn said(write: impl FnOnce(&mut Vec<u8>)) -> Value {
        let mut out = Vec::new();
        write(&mut out);
        serde_json::from_slice(&out).expect("a reply is JSON")
    }

    #[test]
    fn an_ack_is_the_answer_of_post_with_the_clients_own_ref() {
        let receipt = Receipt {
            accepted: 1,
            first: Seq::new(7),
            last: Seq::new(7),
            durability: Durability::Fsync,
            duplicates: vec![],
            rejected: vec![Rejected {
                index: 1,
                byte: Some(9),
                code: "invalid_json",
                message: "no".into(),
            }],
            rejected_more: 0,
        };
        let rejected = json!([{"index":1,"byte":9,"code":"invalid_json","message":"no"}]);
        assert_eq!(
            said(|out| ack(Some("\"r1\""), &receipt, out)),
            json!({"op":"ack","ref":"r1","accepted":1,"first":7,"last":7,"durability":"fsync","duplicates":[],"rejected":rejected})
        );
        assert_eq!(said(|out| ack(None, &receipt, out)).get("ref"), None);
    }

    #[test]
    fn a_gap_says_what_was_asked_what_is_first_how_many_and_why() {
        let lost = Gap {
            asked: Seq::FIRST,
            first: Seq::FIRST.plus(9),
            lost: 9,
            reason: GapReason::AheadOfLedger,
        };
        assert_eq!(
            said(|out| gap(3, &lost, out)),
            json!({"op":"gap","feed":3,"asked":1,"first":10,"lost":9,"reason":"ahead_of_ledger"})
        );
    }

    #[test]
    fn an_empty_ledger_has_the_head_0() {
        let hello = said(|out| hello(&LedgerId::new("l"), None, out));
        assert_eq!(
            (&hello["head"], &hello["protocol"], &hello["ledger"]),
            (&json!(0), &json!(1), &json!("l"))
        );
        assert_eq!(
            said(|out| caught_up(1, None, out)),
            json!({"op":"caught_up","feed":1,"cursor":0})
        );
    }

    #[test]
    fn an_error_names_what_it_is_about() {
        let refused = ApiError::new("busy", "later");
        assert_eq!(
            said(|out| error(Some(("ref", "1")), &refused, out)),
            json!({"op":"error","ref":1,"code":"busy","message":"later"})
        );
    }
}
