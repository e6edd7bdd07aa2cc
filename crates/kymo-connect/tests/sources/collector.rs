//! An outlet that keeps what it is given, and lets tests wait for it.

use std::{
    future::Future,
    pin::Pin,
    sync::{Condvar, Mutex},
    time::{Duration, Instant},
};

use kymo_connect::{Emitted, Outlet, Refused, Taken};
use kymo_event::{Event, Level};
use serde_json::Value;

/// Long enough for a machine that is busy with other things; never waited for when all is well.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// An event as tests look at it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) level: Level,
    pub(crate) source: String,
    /// Marked as the past.
    pub(crate) past: bool,
    pub(crate) data: Value,
}

impl Seen {
    fn of(event: &Event<'_>) -> Self {
        Self {
            id: event.id.as_deref().unwrap_or("").to_owned(),
            kind: event.kind.to_string(),
            level: event.level,
            source: event.source.to_string(),
            past: event.backfill,
            data: event.data.as_deref().map_or(Value::Null, |data| {
                serde_json::from_str(data).expect("data is JSON")
            }),
        }
    }

    pub(crate) fn text(&self, key: &str) -> &str {
        self.data[key].as_str().unwrap_or("")
    }

    /// `modified a.rs +1 -2`, `renamed a -> b`, `git.commit Say hello`.
    pub(crate) fn told(&self) -> String {
        let path = self.text("path");
        let lines = match (&self.data["added"], &self.data["removed"]) {
            (Value::Number(added), Value::Number(removed)) => format!(" +{added} -{removed}"),
            _ => String::new(),
        };
        match self.kind.as_str() {
            "file.renamed" if self.data["directory"] == true => {
                format!("renamed {}/ -> {path}/", self.text("from"))
            }
            "file.renamed" => format!("renamed {} -> {path}", self.text("from")),
            "git.commit" => format!("git.commit {}", self.text("subject")),
            "git.checkout" => format!("git.checkout {} -> {}", self.text("from"), self.text("to")),
            "git.state_changed" => format!("git.{} {}", self.text("operation"), self.text("state")),
            kind if kind.starts_with("git.") => format!("{kind} {}{}", self.text("branch"), self.text("tag")),
            kind => match kind.strip_prefix("file.") {
                Some(what) => format!("{what} {path}{lines}"),
                None => kind.to_owned(),
            },
        }
    }
}

#[derive(Default)]
pub(crate) struct Collector {
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Default)]
struct State {
    seen: Vec<Seen>,
    notes: Vec<Seen>,
    /// Types that are refused.
    refuse: Vec<String>,
    /// So many hand-overs fail before one succeeds.
    fail: usize,
}

impl Collector {
    pub(crate) fn refuse(&self, kind: &str) {
        self.state.lock().unwrap().refuse.push(kind.to_owned());
    }

    pub(crate) fn fail(&self, times: usize) {
        self.state.lock().unwrap().fail = times;
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    /// Waits for a note of this type.
    pub(crate) fn until_note(&self, kind: &str) -> Seen {
        self.wait(kind, |state| {
            state.notes.iter().find(|note| note.kind == kind).cloned()
        })
    }

    /// Waits until the events satisfy a condition; panics with all of them when they do not in time.
    pub(crate) fn until<T>(&self, what: &str, mut find: impl FnMut(&[Seen]) -> Option<T>) -> T {
        self.wait(what, |state| find(&state.seen))
    }

    fn wait<T>(&self, what: &str, mut find: impl FnMut(&State) -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        let mut state = self.state.lock().unwrap();
        loop {
            if let Some(found) = find(&state) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "waited in vain for {what}; there is {:#?}",
                state.seen
            );
            state = self.bell.wait_timeout(state, left).unwrap().0;
        }
    }

    fn take(&self, events: &[Event<'static>]) -> Result<Vec<Refused>, String> {
        let mut state = self.state.lock().unwrap();
        if state.fail > 0 {
            state.fail -= 1;
            return Err("the other side is away".into());
        }
        let mut refused = Vec::new();
        for (index, event) in events.iter().enumerate() {
            if state.refuse.iter().any(|kind| *kind == event.kind) {
                refused.push(Refused {
                    index,
                    code: "not_allowed".into(),
                    message: "not this type".into(),
                });
            } else {
                state.seen.push(Seen::of(event));
            }
        }
        self.bell.notify_all();
        Ok(refused)
    }
}

impl Outlet for Collector {
    fn emit<'a>(
        &'a self,
        events: Vec<Event<'static>>,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async move { self.take(&events).map(|_| ()) })
    }

    fn emit_each<'a>(&'a self, events: Vec<Event<'static>>) -> Emitted<'a, Taken> {
        Box::pin(async move {
            let refused = self.take(&events)?;
            Ok(Taken { refused, repeats: 0 })
        })
    }

    fn note(&self, event: Event<'static>) {
        self.state.lock().unwrap().notes.push(Seen::of(&event));
        self.bell.notify_all();
    }
}
