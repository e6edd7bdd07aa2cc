//! Going on where one was: who a client was, and what it looked at.
//!
//! What was missed comes from the ledger, by the offset that the client itself remembers, also after days and after a
//! restart. Only what a client asked for after it had connected (`subscribe`, `join`) is kept here, in memory: whoever
//! comes back to a server that does not know it any more is given what it missed of what `auth` asks for, and is told
//! that it is new, so that it asks again.
use std::collections::HashMap;

use kymo_event::{LedgerId, Seq};
use kymo_hub::From;
use parking_lot::Mutex;

use super::wishes::{View, Wishes};
use crate::engineio::random_id;

/// What views may take together, in bytes; beyond it they are forgotten.
const BYTES_MAX: usize = 16 << 20;
/// What one takes besides its texts, about.
const VIEW_BYTES: usize = 512;

/// What is remembered of clients that asked for recovery.
#[derive(Default)]
pub(crate) struct Recovery(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    /// Stands in the ids of all whose views are known. Another one from each forgetting to the next.
    era: String,
    views: HashMap<String, View>,
    bytes: usize,
}

/// Where a client goes on.
pub(crate) struct Resumed {
    /// Who it was, if that is still known.
    pub(crate) pid: Option<String>,
    /// What it looked at, where that is something else than `auth` says.
    pub(crate) view: Option<View>,
    pub(crate) from: From,
}

impl Recovery {
    /// A new id: the ledger that its offsets are of, the era, and something that nobody guesses.
    pub(crate) fn pid(&self, ledger: &LedgerId) -> Option<String> {
        let id = random_id().ok()?;
        let mut memory = self.0.lock();
        if memory.era.is_empty() {
            memory.era = random_id().ok()?;
        }
        Some(format!("{ledger}.{}.{id}", memory.era))
    }

    /// Where who says this was; `None` if it says nothing that was ours.
    pub(crate) fn resume(&self, wishes: &Wishes, ledger: &LedgerId) -> Option<Resumed> {
        let (pid, offset) = (wishes.pid.as_ref()?, wishes.offset.as_ref()?);
        let seen: u64 = offset.parse().ok()?;
        let mut parts = pid.split('.');
        let (of, era) = (LedgerId::new(parts.next()?), parts.next()?);
        let from = From::Seq(Seq::new(seen.checked_add(1)?)?, Some(of.clone()));
        let memory = self.0.lock();
        let known = of == *ledger && !era.is_empty() && era == memory.era;
        Some(Resumed {
            pid: known.then(|| pid.clone()),
            view: memory.views.get(pid).filter(|_| known).cloned(),
            from,
        })
    }

    /// It looks at something else now.
    pub(crate) fn remember(&self, pid: &str, view: &View) {
        let mut memory = self.0.lock();
        let bytes = size_of(pid, view);
        if let Some(before) = memory.views.insert(pid.to_owned(), view.clone()) {
            memory.bytes -= size_of(pid, &before);
        }
        memory.bytes += bytes;
        if memory.bytes > BYTES_MAX {
            *memory = Memory::default();
        }
    }
}

fn size_of(pid: &str, view: &View) -> usize {
    let channels = view.channels.iter().flatten();
    let channels: usize = channels.map(|channel| channel.name().len() + 64).sum();
    VIEW_BYTES + pid.len() + view.filter.canonical().len() * 4 + channels
}

#[cfg(test)]
mod tests {
    use super::*;
    use kymo_event::Filter;

    fn view(filter: &str) -> View {
        View {
            filter: Filter::parse(filter).expect("a filter"),
            channels: None,
            dialect: None,
        }
    }

    fn said(pid: &str, offset: &str) -> Wishes {
        let mut wishes = Wishes::default();
        (wishes.pid, wishes.offset) = (Some(pid.into()), Some(offset.into()));
        wishes
    }

    #[test]
    fn who_comes_back_goes_on_behind_what_it_saw() {
        let (recovery, ledger) = (Recovery::default(), LedgerId::new("0198-l"));
        let pid = recovery.pid(&ledger).expect("random numbers");
        recovery.remember(&pid, &view("type:a"));
        let resumed = recovery.resume(&said(&pid, "41"), &ledger).expect("a place");
        assert_eq!(resumed.from, From::Seq(Seq::FIRST.plus(41), Some(ledger.clone())));
        assert_eq!(resumed.pid.as_ref(), Some(&pid));
        assert_eq!(resumed.view.expect("a view").filter, view("type:a").filter);
        let other = LedgerId::new("other");
        let resumed = recovery.resume(&said(&pid, "41"), &other).expect("a place");
        assert_eq!(resumed.from, From::Seq(Seq::FIRST.plus(41), Some(ledger)));
        assert!(resumed.pid.is_none() && resumed.view.is_none());
    }

    #[test]
    fn what_was_never_ours_is_nothing() {
        let (recovery, ledger) = (Recovery::default(), LedgerId::new("l"));
        for (pid, offset) in [
            ("x", "1"),
            ("l.era.id", "x"),
            ("l.era.id", ""),
            ("l.e.i", "18446744073709551615"),
        ] {
            assert!(
                recovery.resume(&said(pid, offset), &ledger).is_none(),
                "{pid} {offset}"
            );
        }
    }

    #[test]
    fn what_is_too_much_to_remember_is_forgotten_and_nobody_is_taken_for_known_by_it() {
        let (recovery, ledger) = (Recovery::default(), LedgerId::new("l"));
        let first = recovery.pid(&ledger).expect("random numbers");
        recovery.remember(&first, &view("type:a"));
        let long = view(&format!("type:{}", "x".repeat(60_000)));
        for n in 0..BYTES_MAX / 200_000 {
            recovery.remember(&n.to_string(), &long);
        }
        let resumed = recovery.resume(&said(&first, "7"), &ledger).expect("a place");
        assert!(resumed.pid.is_none() && resumed.view.is_none());
        assert!(recovery.0.lock().bytes <= BYTES_MAX);
    }
}
