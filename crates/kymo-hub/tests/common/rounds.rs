//! A combiner as its doors use it: requests are taken, and answered once a round is over.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Poll, Waker},
};

use kymo_event::{Limits, RecordFormat, Records, Seq};
use kymo_hub::{Combiner, Principal, PublishError, Receipt, Ticket};

use super::PATIENCE;

/// What a client sends: an array of events, or one.
pub fn records(body: &str) -> Records<'_> {
    Records::new(body.as_bytes(), RecordFormat::Json, &Limits::default()).expect("records")
}

pub fn take(combiner: &Combiner, body: &str) -> Option<Ticket> {
    take_as(combiner, &Arc::new(Principal::owner()), body)
}

pub fn take_as(combiner: &Combiner, principal: &Arc<Principal>, body: &str) -> Option<Ticket> {
    combiner.take(principal, records(body), None, Waker::noop())
}

/// Lets the combiner work until the ticket is settled.
pub async fn settled(combiner: &Combiner, ticket: &Ticket) -> Result<Receipt, PublishError> {
    let run = combiner.run();
    tokio::pin!(run);
    let receipt = poll_fn(|cx| {
        let _ = run.as_mut().poll(cx);
        ticket.receipt().map_or(Poll::Pending, Poll::Ready)
    });
    tokio::time::timeout(PATIENCE, receipt)
        .await
        .expect("it is answered")
}

pub fn span(receipt: &Receipt) -> (usize, Option<u64>, Option<u64>) {
    let number = |seq: Option<Seq>| seq.map(|seq| seq.get());
    (receipt.accepted, number(receipt.first), number(receipt.last))
}

/// Index and seq of each.
pub fn duplicates(receipt: &Receipt) -> Vec<(usize, u64)> {
    let duplicates = receipt.duplicates.iter();
    duplicates
        .map(|duplicate| (duplicate.index, duplicate.seq.get()))
        .collect()
}
