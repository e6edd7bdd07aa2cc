//! What the system's watcher says, as hints: something happened at this path. What it was is looked up later.
//!
//! Hints of one path become one, so that a folder in which much happens costs little; more paths than a bound become
//! "look everywhere". That is also what an overflow in the system becomes.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use notify::{
    EventKind,
    event::{AccessKind, AccessMode, CreateKind, Flag, ModifyKind, RenameMode},
};

/// Paths kept at most before everything is looked at instead.
const PATHS_MAX: usize = 1 << 16;

/// How sure it is that a file's content was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Evidence {
    /// Something about it changed.
    Touched,
    /// Its stamp differs from what was known.
    Differs,
    /// The system reported a write, or that another file took its name.
    Written,
}

/// What was heard of one path.
#[derive(Clone, Debug)]
pub(crate) struct Touch {
    pub(crate) first: Instant,
    pub(crate) last: Instant,
    pub(crate) evidence: Evidence,
    /// Written to and not yet closed; `None` when neither was heard.
    pub(crate) open: Option<bool>,
    /// Its going was heard, or its coming after that; `None` when neither was.
    pub(crate) gone: Option<bool>,
    /// A directory may have come to be here.
    pub(crate) directory: bool,
    /// Not to be decided before, unless something more is heard.
    pub(crate) hold: Option<Instant>,
    /// What was here was put aside under an editor's name: something will come in its place.
    pub(crate) aside: bool,
}

impl Touch {
    pub(crate) fn new(now: Instant, evidence: Evidence) -> Self {
        Self {
            first: now,
            last: now,
            evidence,
            open: None,
            gone: None,
            directory: false,
            hold: None,
            aside: false,
        }
    }

    pub(crate) fn merge(&mut self, later: Self) {
        self.first = self.first.min(later.first);
        self.last = self.last.max(later.last);
        self.evidence = self.evidence.max(later.evidence);
        self.open = later.open.or(self.open);
        self.gone = later.gone.or(self.gone);
        self.directory |= later.directory;
        self.hold = later.hold;
        self.aside |= later.aside;
    }
}

/// Something that was here is now there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) from: PathBuf,
    pub(crate) to: PathBuf,
}

/// Hints since the last time.
#[derive(Default, Debug)]
pub(crate) struct Hints {
    pub(crate) touches: HashMap<PathBuf, Touch>,
    pub(crate) links: Vec<Link>,
    /// Hints were lost: look at everything.
    pub(crate) overflowed: bool,
    /// In the watcher's words.
    pub(crate) problems: Vec<String>,
}

impl Hints {
    fn is_empty(&self) -> bool {
        self.touches.is_empty() && !self.overflowed && self.problems.is_empty()
    }

    pub(crate) fn touch(&mut self, path: PathBuf, touch: Touch) {
        match self.touches.get_mut(&path) {
            Some(known) => known.merge(touch),
            None => _ = self.touches.insert(path, touch),
        }
    }
}

/// Where the watcher's thread puts hints and the folder's thread waits for them.
#[derive(Default)]
pub(crate) struct HintBox {
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Default)]
struct State {
    hints: Hints,
    stopped: bool,
    /// First halves of renames by the system's number for the pair.
    leaving: HashMap<usize, PathBuf>,
    /// The first half of a rename on systems without such numbers: the second half follows at once.
    left: Option<PathBuf>,
}

impl HintBox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Ends the waiting, now and from now on.
    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.bell.notify_all();
    }

    /// Waits for hints until a moment (`None`: without end); whether to go on.
    pub(crate) fn wait(&self, until: Option<Instant>) -> (Hints, bool) {
        let mut state = self.lock();
        while state.hints.is_empty() && !state.stopped {
            let left = until.map_or(Duration::from_secs(3_600), |until| {
                until.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                break;
            }
            state = self
                .bell
                .wait_timeout(state, left)
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .0;
        }
        (std::mem::take(&mut state.hints), !state.stopped)
    }

    fn put(&self, event: notify::Result<notify::Event>) {
        // Every reader's opening of a file comes by here: the most frequent and least interesting.
        if matches!(&event, Ok(event) if is_noise(event.kind)) {
            return;
        }
        let mut state = self.lock();
        match event {
            Ok(event) => state.hear(event, Instant::now()),
            Err(error) => state.hints.problems.push(error.to_string()),
        }
        if state.hints.touches.len() > PATHS_MAX {
            let problems = std::mem::take(&mut state.hints.problems);
            state.hints = Hints {
                overflowed: true,
                problems,
                ..Hints::default()
            };
        }
        self.bell.notify_all();
    }
}

/// The handler given to the watcher.
pub(crate) struct Handler(pub(crate) Arc<HintBox>);

impl notify::EventHandler for Handler {
    fn handle_event(&mut self, event: notify::Result<notify::Event>) {
        self.0.put(event);
    }
}

fn is_noise(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

impl State {
    fn hear(&mut self, event: notify::Event, now: Instant) {
        if event.flag() == Some(Flag::Rescan) {
            self.hints.overflowed = true;
            return;
        }
        let tracker = event.tracker();
        for (index, path) in event.paths.iter().enumerate() {
            let mut touch = touch(event.kind, now);
            if index > 0 && touch.gone.is_some() {
                touch.gone = Some(false); // the new name of a rename told as a whole
            }
            self.hints.touch(path.clone(), touch);
        }
        if let EventKind::Modify(ModifyKind::Name(mode)) = event.kind {
            self.pair(mode, tracker, &event.paths);
        }
    }

    /// Finds the two halves of a rename.
    fn pair(&mut self, mode: RenameMode, tracker: Option<usize>, paths: &[PathBuf]) {
        match (mode, tracker, paths) {
            (RenameMode::From, Some(tracker), [from]) => {
                if self.leaving.len() > 1_024 {
                    self.leaving.clear(); // moved out: their other halves never come
                }
                self.leaving.insert(tracker, from.clone());
            }
            (RenameMode::From, None, [from]) => self.left = Some(from.clone()),
            (RenameMode::To, Some(tracker), [to]) => {
                if let Some(from) = self.leaving.remove(&tracker) {
                    self.link(&from, to);
                }
            }
            (RenameMode::To, None, [to]) => {
                if let Some(from) = self.left.take() {
                    self.link(&from, to);
                }
            }
            (RenameMode::Both, _, [from, to]) => self.link(from, to),
            _ => {}
        }
    }

    fn link(&mut self, from: &Path, to: &Path) {
        let link = Link {
            from: from.to_owned(),
            to: to.to_owned(),
        };
        // The watcher may say the halves and then the whole.
        if self.hints.links.last() != Some(&link) {
            self.hints.links.push(link);
        }
    }
}

/// Whether the system reports when a file that was written to is closed, and every going.
const EXACT: bool = cfg!(target_os = "linux");

fn touch(kind: EventKind, now: Instant) -> Touch {
    let mut touch = Touch::new(now, Evidence::Touched);
    touch.gone = (!EXACT).then_some(true);
    match kind {
        EventKind::Access(_) => touch.open = Some(false),
        EventKind::Create(kind) => {
            touch.evidence = Evidence::Written;
            touch.directory = kind != CreateKind::File;
            touch.open = (EXACT && kind == CreateKind::File).then_some(true);
            touch.gone = Some(false);
        }
        EventKind::Remove(_) => touch.gone = Some(true),
        EventKind::Modify(ModifyKind::Data(_)) => {
            touch.evidence = Evidence::Written;
            touch.open = EXACT.then_some(true);
        }
        EventKind::Modify(ModifyKind::Name(mode)) => {
            touch.evidence = Evidence::Written;
            touch.directory = true;
            touch.gone = Some(mode != RenameMode::To);
        }
        EventKind::Any | EventKind::Modify(ModifyKind::Any) => touch.evidence = Evidence::Differs,
        _ => {}
    }
    touch
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::{Event, event::DataChange};

    fn named(mode: RenameMode, tracker: Option<usize>, paths: &[&str]) -> notify::Result<Event> {
        let mut event = Event::new(EventKind::Modify(ModifyKind::Name(mode)));
        for path in paths {
            event = event.add_path(path.into());
        }
        Ok(match tracker {
            Some(tracker) => event.set_tracker(tracker),
            None => event,
        })
    }

    #[test]
    fn halves_of_a_rename_become_one_link_on_every_system() {
        let hints = HintBox::default();
        hints.put(named(RenameMode::From, Some(1), &["a"]));
        hints.put(named(RenameMode::From, Some(2), &["out"]));
        hints.put(named(RenameMode::To, Some(1), &["b"]));
        hints.put(named(RenameMode::Both, Some(1), &["a", "b"]));
        hints.put(named(RenameMode::From, None, &["c"]));
        hints.put(named(RenameMode::To, None, &["d"]));
        hints.put(named(RenameMode::To, Some(9), &["in"]));
        let link = |from: &str, to: &str| Link {
            from: from.into(),
            to: to.into(),
        };
        assert_eq!(hints.wait(None).0.links, [link("a", "b"), link("c", "d")]);
    }

    #[test]
    fn a_lost_hint_or_too_many_paths_mean_look_everywhere() {
        let hints = HintBox::default();
        hints.put(Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan)));
        assert!(hints.wait(None).0.overflowed);
        for n in 0..=PATHS_MAX {
            let write = EventKind::Modify(ModifyKind::Data(DataChange::Any));
            hints.put(Ok(Event::new(write).add_path(n.to_string().into())));
        }
        let (heard, go_on) = hints.wait(None);
        assert!(heard.overflowed && heard.touches.is_empty() && go_on);
    }

    #[test]
    fn a_file_is_open_from_the_write_to_the_close() {
        let hints = HintBox::default();
        let put = |kind| hints.put(Ok(Event::new(kind).add_path("a".into())));
        put(EventKind::Modify(ModifyKind::Data(DataChange::Any)));
        let open = hints.lock().hints.touches[Path::new("a")].open;
        assert_eq!(open, cfg!(target_os = "linux").then_some(true));
        put(EventKind::Modify(ModifyKind::Metadata(
            notify::event::MetadataKind::Any,
        )));
        assert_eq!(hints.lock().hints.touches[Path::new("a")].open, open);
        put(EventKind::Access(AccessKind::Open(AccessMode::Any)));
        put(EventKind::Access(AccessKind::Close(AccessMode::Write)));
        let heard = hints.wait(None).0;
        let touch = &heard.touches[Path::new("a")];
        assert_eq!((touch.open, touch.evidence), (Some(false), Evidence::Written));
    }

    #[test]
    fn stopping_ends_the_waiting() {
        let hints = Arc::new(HintBox::default());
        let waiting = std::thread::spawn({
            let hints = hints.clone();
            move || hints.wait(None).1
        });
        hints.stop();
        assert!(!waiting.join().unwrap());
    }
}
