//! Any bytes as an address and a message behind it: understood or refused by a code, and what is understood is written.

use kymo_event::{Batch, LedgerId, Limits, LineView, Micros, RawJson, Seq, write_line};
use kymo_hub::Scope;

use super::{frames, messages, wishes::Wishes};
use crate::{auth::Caller, error::ApiError, fuzzing::is_listed};

/// What a client asks for and sends.
pub fn conductor(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (query, message) = text.split_once('\n').unwrap_or((text, ""));
    let caller = Caller::anonymous(vec![Scope::Read, Scope::Emit]);
    let wishes = Wishes::of(Some(query), &caller);
    let user = match &wishes {
        Ok(wishes) => wishes.user.as_deref(),
        Err(error) => {
            is_listed(error);
            None
        }
    };
    let limits = Limits::default();
    let event = RawJson::parse(message, limits.nesting_max + 1)
        .map_err(ApiError::from)
        .and_then(|message| messages::read(message, &limits, &caller.principal, user));
    match event {
        Ok(event) => {
            let mut batch = Batch::default();
            batch.push(&event);
            let mut line = Vec::new();
            write_line(&mut line, Seq::FIRST, &Micros(0).text(), batch.body(0));
            line.pop();
            let view = LineView::parse(&line).expect("what was written can be read");
            let mut out = Vec::new();
            frames::write(&view, &LedgerId::new("l"), &mut out);
            let out = std::str::from_utf8(&out).expect("what is given is text");
            let given = RawJson::parse(out, usize::MAX).expect("what is given is JSON");
            assert!(given.get("payload").is_some() || event.data.is_none(), "{out}");
        }
        Err(error) => is_listed(&error),
    }
}
