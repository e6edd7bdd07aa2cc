//! Follows the files of a folder on which no server runs, until one does.
use std::{path::Path, time::Duration};

use kymo_event::Seq;
use kymo_ledger::{Chunk, ReadOnly};

use super::{Stop, Tail};
use crate::{
    find::{Place, State},
    history::{self, Item, Past},
    native,
    printer::note,
};

/// Between looks at the folder.
const LOOK_EVERY: Duration = Duration::from_millis(200);

impl Tail {
    /// Shows what the files hold and waits for a server. Returns the place once one serves there.
    pub(super) fn follow_files(&mut self, data: &Path) -> Result<Place, Stop> {
        if data.join("ledger").is_dir() {
            self.show_files(data)?;
            note(format!(
                "no server is running on {}; waiting for one",
                data.display()
            ));
        } else {
            note(format!(
                "nothing is recorded in {} yet; waiting for a server there",
                data.display()
            ));
        }
        loop {
            std::thread::sleep(LOOK_EVERY);
            let found = Place::find(&self.args.place)?;
            if matches!(found.state, State::Running(_) | State::Named(_)) {
                note("a server is running now, going on live");
                return Ok(found);
            }
            if found.data != data {
                // A nearer folder appeared meanwhile.
                return Ok(found);
            }
        }
    }

    fn show_files(&mut self, data: &Path) -> Result<(), Stop> {
        let folder = ReadOnly::open(data)?;
        let id = folder.id().to_string();
        let end = folder.head().map_or(Seq::FIRST, Seq::next);
        if self.ledger.as_deref() != Some(&id) {
            self.ledger = Some(id);
            self.begin(&Past::Folder(folder), end)?;
            let folder = ReadOnly::open(data)?;
            return self.show_rest(&folder);
        }
        self.show_rest(&folder)
    }

    /// What stands in the files from the cursor on.
    fn show_rest(&mut self, folder: &ReadOnly) -> Result<(), Stop> {
        let filter = self.args.selection.filter()?;
        let mut reader = folder.read(self.next, &filter);
        loop {
            match reader.next_chunk(1 << 20)? {
                Chunk::Events { lines, scanned_to } => {
                    for line in lines.iter() {
                        self.item(Item::Event(native::view(line)?))?;
                    }
                    self.next = self.next.max(scanned_to.next());
                }
                Chunk::Gap(gap) => self.item(Item::Hole(history::hole(&gap)))?,
                Chunk::End { next } => {
                    self.next = self.next.max(next);
                    self.printer.flush();
                    return Ok(());
                }
            }
        }
    }
}
