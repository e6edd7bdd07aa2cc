//! Emits copies of events into another Kymo: new ids, marked as the past, with where they came from.
use std::{path::Path, time::Duration};

use kymo_event::{LedgerId, LineView, fold_separators};

use crate::{
    client::Client,
    exit::Exit,
    failure::Failure,
    find::{Place, Where},
    native,
    printer::{Printer, note},
};

/// Copies that go together.
const COPIES_MAX: usize = 500;
/// How long a server may take, and how long to wait when it is busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// Copies on their way.
pub(super) struct Copies {
    client: Client,
    ledger: LedgerId,
    waiting: Vec<String>,
    sent: u64,
    refused: u64,
    own: u64,
}

impl Copies {
    /// Finds the other server by its address or its data folder.
    pub(super) fn open(to: &str, token: Option<&str>, ledger: LedgerId) -> Result<Self, Failure> {
        let is_folder = Path::new(to).is_dir();
        let place = Where {
            url: (!is_folder).then(|| to.to_owned()),
            data: is_folder.then(|| to.into()),
            token: token.map(str::to_owned),
        };
        let client = Place::find(&place)?.server()?;
        Ok(Self {
            client,
            ledger,
            waiting: Vec::new(),
            sent: 0,
            refused: 0,
            own: 0,
        })
    }

    pub(super) fn emit(&mut self, view: &LineView<'_>) -> Result<(), Failure> {
        // What one Kymo says of itself is not true of another.
        if fold_separators(&view.kind()).starts_with("kymo.") {
            self.own += 1;
            return Ok(());
        }
        self.waiting.push(copy(view, &self.ledger));
        if self.waiting.len() >= COPIES_MAX {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Sends what waits. A busy server is waited for.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let records: Vec<&str> = self.waiting.iter().map(String::as_str).collect();
        let receipt = self.client.post_patiently(&records, PATIENCE)?;
        for rejected in receipt.rejected.iter().take(3) {
            note(format!(
                "a copy was refused: {} [{}]",
                rejected.message, rejected.code
            ));
        }
        self.sent += receipt.accepted as u64;
        self.refused += receipt.rejected.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Exit, Failure> {
        self.flush()?;
        let own = if self.own > 0 {
            format!(", left out {} of the kymo.* kind", self.own)
        } else {
            String::new()
        };
        let refused = if self.refused > 0 {
            format!(", {} refused", self.refused)
        } else {
            String::new()
        };
        Printer::new().line(format!(
            "emitted {} copies to {}{refused}{own}",
            self.sent,
            self.client.url()
        ));
        Ok(if self.refused > 0 {
            Exit::Refused
        } else {
            Exit::Done
        })
    }
}

fn copy(view: &LineView<'_>, ledger: &LedgerId) -> String {
    let mut event = view.to_event();
    let mut origin = serde_json::json!({ "ledger": ledger.as_str(), "seq": view.seq() });
    if let Some((_, before)) = event.ext.iter().find(|(name, _)| name == "origin") {
        // A copy of a copy still knows the first one.
        origin["origin"] = serde_json::from_str(before).unwrap_or_default();
    }
    // The original was made when it was recorded, if it does not say otherwise.
    event.time.get_or_insert(view.recorded());
    event.id = Some(native::new_id().into());
    event.backfill = true;
    event.ext.retain(|(name, _)| name != "origin");
    event.ext.push(("origin".into(), origin.to_string().into()));
    native::json(&event)
}
