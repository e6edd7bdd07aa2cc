//! The folder itself: it may go away and come back, and the system may lose track of it.

use std::{path::Path, time::Instant};

use kymo_event::Level;
use serde_json::json;

use super::{folder::Folder, rules::Rules, scan::Mode};
use crate::{
    git::{Places, Repo},
    hearing::{Evidence, Touch},
    stamp::Stamp,
};

impl Folder {
    pub(super) fn check_root(&mut self, now: Instant) {
        if !std::mem::take(&mut self.root_touched) && self.failed.is_none() {
            return;
        }
        let stamp = Stamp::look(&self.root).filter(Stamp::is_directory);
        let identity = |stamp: Option<Stamp>| stamp.and_then(|stamp| stamp.identity);
        match (&self.failed, stamp) {
            (None, None) => self.lose_root(now),
            (None, Some(_)) if identity(stamp) != identity(self.root_stamp) => {
                self.lose_root(now);
                self.regain_root(stamp, now);
            }
            (Some(_), Some(_)) => self.regain_root(stamp, now),
            _ => {}
        }
    }

    fn lose_root(&mut self, now: Instant) {
        let message = format!(
            "the folder {} is gone: nothing is watched until it is back",
            self.reporter.folder()
        );
        for (path, entry) in self.tree.take_subtree(Path::new("")) {
            if !entry.stamp.is_directory() {
                self.say_removed(&path, &entry, now);
            }
            self.memory.forget(entry.slot);
        }
        self.pending.take_all();
        self.repos.clear();
        self.becoming.clear();
        self.ears.unlisten(&self.root.clone());
        self.say("watch.failed", Level::Error, json!({"message": message}));
        self.failed = Some(message);
    }

    fn regain_root(&mut self, stamp: Option<Stamp>, now: Instant) {
        self.failed = None;
        self.root_stamp = stamp;
        self.rules = Rules::new(&self.root, &self.settings.ignore, self.others.clone());
        let message = format!("the folder {} is back", self.reporter.folder());
        self.say("watch.recovered", Level::Info, json!({"message": message}));
        if let Some(places) = Places::around(&self.root) {
            self.add_repo(Repo::open(places));
        }
        self.look_at_all(Mode::Report, now);
    }

    /// The system dropped hints.
    pub(super) fn look_again_everywhere(&mut self, now: Instant) {
        let differences = self.look_at_all(Mode::Report, now);
        for followed in &mut self.repos {
            followed.hear(Touch::new(now, Evidence::Touched));
        }
        let message = "the system reported more changes at once than it could queue; the folder was looked through again \
                       and nothing but intermediate states is lost. If this happens often, raise it: \
                       sudo sysctl -w fs.inotify.max_queued_events=131072";
        self.say(
            "watch.overflowed",
            Level::Warn,
            json!({"message": message, "differences": differences}),
        );
    }
}
