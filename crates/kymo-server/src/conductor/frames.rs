//! How events are written: one message each, `{"type":"event","event":{…}}`, as frames that all who look at the same share.
use kymo_event::{LedgerId, LineView, Seq, dialects};
use kymo_hub::Encoder;

use crate::ws::frame;

/// Writes events as the conductor's clients know them.
#[derive(Debug)]
pub(super) struct Events {
    pub(super) ledger: LedgerId,
}

/// Appends an event in the conductor's form.
pub(super) fn write(view: &LineView<'_>, ledger: &LedgerId, out: &mut Vec<u8>) {
    dialects::Dialect::write(&dialects::Conductor, view, ledger, out);
}

impl Encoder for Events {
    fn name(&self) -> &str {
        "conductor"
    }

    fn frame(&self, _: u32, _: Seq, lines: &mut dyn Iterator<Item = LineView<'_>>, out: &mut Vec<u8>) {
        for view in lines {
            frame::build(out, |out| {
                out.extend_from_slice(b"{\"type\":\"event\",\"event\":");
                write(&view, &self.ledger, out);
                out.push(b'}');
            });
        }
    }
}
