//! The way of an admitted batch: repeats are left out, the rest is appended, the receipt is written.

use std::sync::Arc;

use kymo_event::Seq;
use kymo_ledger::{AppendError, Appended};
use tokio::sync::oneshot;

use super::Intake;
use crate::{
    Duplicate, PublishError, Receipt, Scope,
    counters::tally::Tally,
    gate::InFlight,
    ids::{
        Claim, ClaimGuard,
        repeats::{self, Original, Repeats},
    },
};

impl Intake {
    /// Appends; the answer comes when everything stored is durable. Dropping the future loses nothing that was handed
    /// over to the ledger.
    pub async fn commit(mut self) -> Result<Receipt, PublishError> {
        if !self.principal.may(Scope::Emit) {
            return Err(PublishError::NotAllowed);
        }
        self.look_up_ids().await;
        let repeats = self.found.take().unwrap_or_default();
        let reused = repeats.reused;
        let result = self.append(repeats).await;
        match &result {
            Ok(receipt) => {
                let repeats = receipt.duplicates.len();
                self.hub.numbers.answered(repeats, reused, &self.refused);
            }
            Err(error) => tracing::debug!(door = self.door, %error, "a batch was not taken"),
        }
        result
    }

    /// Finds out which events are stored already, where any has an id. Afterwards the first poll of [`Intake::commit`]
    /// hands the batch to the ledger: who awaits this before committing keeps one batch in front of the next.
    pub async fn look_up_ids(&mut self) {
        if self.with_id > 0 && self.found.is_none() {
            // Boxed, since most events have no id, and every future here is as large as what it may hold.
            self.found = Some(Box::pin(self.find_repeats()).await);
        }
    }

    async fn find_repeats(&mut self) -> Repeats {
        let hub = &self.hub;
        hub.ids_loaded.wait().await;
        let batch = std::mem::take(&mut self.batch);
        let (batch, repeats) = repeats::find(&hub.ids, &hub.ring, &hub.ledger, batch).await;
        self.batch = batch;
        repeats
    }

    async fn append(&mut self, mut found: Repeats) -> Result<Receipt, PublishError> {
        let in_flight = self.hub.gate.enter().ok_or(PublishError::Closing)?;
        self.leave_out(&found);
        let guard = found.claim.take();
        let claim = guard.as_ref().map(|guard| Arc::clone(&guard.0));
        let appended = match self.batch.is_empty() {
            true => None,
            false => Some(self.hand_over(guard, in_flight).await?),
        };
        if let Some(claim) = &claim {
            found.compact(&self.hub.ids, claim);
        }
        Ok(self.receipt(appended, &found.repeats, claim.as_deref()))
    }

    fn leave_out(&mut self, found: &Repeats) {
        if !found.repeats.is_empty() {
            self.batch.retain(|position| !found.is_repeat(position));
            self.tally.retain(|position| !found.is_repeat(position));
        }
    }

    async fn hand_over(
        &mut self,
        claim: Option<ClaimGuard>,
        in_flight: InFlight,
    ) -> Result<Appended, PublishError> {
        let (sender, answer) = oneshot::channel::<(Result<Appended, AppendError>, Tally)>();
        let numbers = Arc::clone(&self.hub.numbers);
        let tally = std::mem::take(&mut self.tally);
        let done = move |result: Result<Appended, AppendError>| {
            if let Some(guard) = &claim {
                guard
                    .0
                    .settle(result.as_ref().ok().map(|appended| appended.first));
            }
            // Counting is the requester's work; the writer does it only for those that went away.
            if let Err((Ok(_), tally)) = sender.send((result, tally)) {
                numbers.stored(&tally);
            }
            drop(in_flight);
        };
        self.hub
            .ledger
            .append(std::mem::take(&mut self.batch), Box::new(done));
        let Ok((result, tally)) = answer.await else {
            return Err(PublishError::Unwritable("its writer stopped".into()));
        };
        let appended = result?;
        self.hub.numbers.stored(&tally);
        Ok(appended)
    }

    fn receipt(
        &mut self,
        appended: Option<Appended>,
        repeats: &[(u32, Original)],
        claim: Option<&Claim>,
    ) -> Receipt {
        let seq_of = |original: &Original| match original {
            Original::Stored(seq) => Some(*seq),
            Original::Here(position) => claim?.seq(*position),
        };
        let duplicates = repeats.iter().filter_map(|(position, original)| {
            Some(Duplicate {
                index: self.indexes[*position as usize] as usize,
                seq: seq_of(original)?,
            })
        });
        let duplicates = duplicates.collect();
        self.rejected.sort_by_key(|rejected| rejected.index);
        let first = appended.map(|appended| appended.first);
        let last = appended.map(|appended| appended.last);
        Receipt {
            accepted: first.zip(last).map_or(0, |(first, last)| count(first, last)),
            first,
            last,
            durability: self.hub.durability(appended),
            duplicates,
            rejected: std::mem::take(&mut self.rejected),
            rejected_more: self.rejected_more,
        }
    }
}

fn count(first: Seq, last: Seq) -> usize {
    usize::try_from(last.get() - first.get() + 1).unwrap_or(usize::MAX)
}
