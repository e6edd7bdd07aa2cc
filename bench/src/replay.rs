//! The past to one reader over WebSocket: everything, or what a filter leaves of it.

use std::time::Instant;

use crate::{Outcome, fanout::Tally, server::Server, wire::WebSocket};

/// How fast the past came.
pub(crate) struct Replayed {
    pub(crate) scanned_per_second: f64,
    pub(crate) matched_per_second: f64,
}

/// Reads from the first event until caught up.
pub(crate) async fn all(server: &Server, filter: &str) -> Outcome<Replayed> {
    let mut socket = WebSocket::connect(server).await?;
    let hello = String::from_utf8(socket.receive_op(r#"{"op":"hello""#).await?)?;
    let hello: serde_json::Value = serde_json::from_str(&hello)?;
    let head = hello["head"].as_u64().ok_or("hello names no head")?;
    let mut tally = Tally::new(!filter.is_empty());
    let begun = Instant::now();
    socket
        .send(&format!(
            r#"{{"op":"subscribe","sub":"a","filter":"{filter}","from":"start"}}"#
        ))
        .await?;
    let mut live = false;
    while !live {
        live = socket
            .receive(|frame| {
                let live = frame.starts_with(br#"{"op":"caught_up""#);
                tally.take(frame).map(|()| live)
            })
            .await??;
    }
    let seconds = begun.elapsed().as_secs_f64();
    if filter.is_empty() && tally.count < head {
        return Err(format!("{} of {head} events came", tally.count).into());
    }
    Ok(Replayed {
        scanned_per_second: head as f64 / seconds,
        matched_per_second: tally.count as f64 / seconds,
    })
}
