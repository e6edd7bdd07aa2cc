//! Follows a server: one stream after the other, each beginning where the last one ended.
use kymo_event::Seq;

use super::{Backoff, Stop, Tail, may_come_back};
use crate::{
    client::{Client, ClientError},
    find::{Place, State},
    history::{Hole, Item, LedgerStatus},
    native,
    printer::note,
    sse::{Message, Messages},
};

/// Why a stream ended without a fault of ours.
struct Lost(String);

impl Tail {
    /// Follows until enough was shown. A server that comes back, also at another address, is followed on.
    pub(super) fn follow_server(&mut self, mut client: Client) -> Result<(), Stop> {
        let mut was_lost = false;
        loop {
            let lost = self.follow_stream(&client, was_lost)?;
            self.printer.flush();
            note(format!(
                "connection to {} lost ({}); waiting for it to come back",
                client.url(),
                lost.0
            ));
            client = self.wait_for_server()?;
            was_lost = true;
        }
    }

    fn wait_for_server(&mut self) -> Result<Client, Stop> {
        let mut backoff = Backoff::new();
        loop {
            backoff.wait();
            let found = Place::find(&self.args.place)?;
            let (State::Named(endpoint) | State::Running(endpoint)) = &found.state else {
                continue;
            };
            let client = Client::new(endpoint);
            match LedgerStatus::of(&client) {
                Ok(status) => {
                    self.check_ledger(status);
                    return Ok(client);
                }
                Err(error) if may_come_back(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// A cursor means nothing in another ledger: there everything is new.
    fn check_ledger(&mut self, status: LedgerStatus) {
        if self.ledger.as_deref().is_some_and(|known| known != status.ledger) {
            self.hole(&Hole {
                asked: self.next.get(),
                first: 1,
                lost: 0,
                reason: "other_ledger".to_owned(),
            });
        }
        self.ledger = Some(status.ledger);
    }

    fn follow_stream(&mut self, client: &Client, was_lost: bool) -> Result<Lost, Stop> {
        let mut query = self.args.selection.query();
        query.push(("from", self.next.to_string()));
        let reader = match client.stream(&query) {
            Ok(reader) => reader,
            Err(error) if may_come_back(&error) => return Ok(Lost(describe(&error))),
            Err(error) => return Err(error.into()),
        };
        if was_lost {
            note(format!(
                "connected to {} again, going on at seq {}",
                client.url(),
                self.next
            ));
        }
        let mut messages = Messages::new(reader);
        loop {
            match messages.next() {
                Ok(Some(message)) => {
                    if message.event == "closing" {
                        return Ok(Lost("the server is stopping".to_owned()));
                    }
                    self.message(&message)?;
                }
                Ok(None) => return Ok(Lost("the server ended it".to_owned())),
                Err(cause) => return Ok(Lost(cause.to_string())),
            }
            if !messages.has_more_at_hand() {
                self.printer.flush();
            }
        }
    }

    fn message(&mut self, message: &Message) -> Result<(), Stop> {
        match message.event.as_str() {
            "" | "message" | "event" if !message.data.is_empty() => {
                self.item(Item::Event(native::view(&message.data)?))?;
            }
            "gap" => {
                if let Ok(hole) = serde_json::from_slice::<Hole>(&message.data) {
                    self.hole(&hole);
                }
            }
            "fell_behind" => {
                let data: serde_json::Value = serde_json::from_slice(&message.data).unwrap_or_default();
                note(format!(
                    "fell behind by {} events, catching up from disk",
                    data["lag_events"]
                ));
            }
            _ => {}
        }
        if let Some(id) = message.id.as_deref().and_then(|id| id.parse::<Seq>().ok()) {
            self.next = self.next.max(id.next());
        }
        Ok(())
    }
}

fn describe(error: &ClientError) -> String {
    match error {
        ClientError::Unreachable { cause, .. } => cause.clone(),
        ClientError::Refused { message, .. } => message.clone(),
        ClientError::Strange { what, .. } => what.clone(),
    }
}
