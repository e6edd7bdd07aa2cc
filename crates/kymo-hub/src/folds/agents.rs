//! Which agents there are and how they are: a fold over the ledger.
//!
//! Pure: given lines in order, it is the same state, whoever folds and whenever. What one agent does in one place (of
//! one source, session, user and tier) is a [`Strand`]: kept apart, so that a reader bound to one of those keys is given
//! what it may see; put together when somebody asks. The imported past is no state of now and is passed over.

use std::collections::HashMap;

use kymo_event::{LineView, Micros, Seq};
use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};

use crate::Principal;

mod answer;
mod place;
mod strand;
mod told;

pub use answer::{AgentInfo, AgentState, AgentsPage};
use place::Place;
use strand::Strand;

/// The form of the state below; another one is folded anew.
const FORM: u32 = 1;

/// The state. Serialised it is what a snapshot holds.
#[derive(Clone, Debug)]
pub(crate) struct Agents {
    /// First seq that was folded.
    from: Seq,
    /// The next one to be folded.
    next: Seq,
    /// Events that were gone before they could be folded, by damage or retention.
    lost: u64,
    /// Strands that were forgotten to make room.
    left_out: u64,
    /// What is from here on is not folded, however much is given.
    end: Option<Seq>,
    strands_max: usize,
    strands: HashMap<Box<str>, Strand>,
    /// For the key of a line, so that none is allocated.
    key: String,
}

#[derive(Serialize, Deserialize)]
struct Kept<S> {
    form: u32,
    from: Seq,
    next: Seq,
    lost: u64,
    left_out: u64,
    strands: S,
}

impl Agents {
    /// Nothing folded yet; begins at `from`. At most so many strands are known at once.
    pub(crate) fn new(from: Seq, strands_max: usize) -> Self {
        Self {
            from,
            next: from,
            lost: 0,
            left_out: 0,
            end: None,
            strands_max: strands_max.max(1),
            strands: HashMap::new(),
            key: String::new(),
        }
    }

    /// What [`Agents::kept`] wrote; `None` where that was in another form.
    pub(crate) fn restore(state: &[u8], strands_max: usize) -> Option<Self> {
        let kept: Kept<Vec<Strand>> = serde_json::from_slice(state).ok()?;
        if kept.form != FORM {
            return None;
        }
        let mut agents = Self {
            lost: kept.lost,
            left_out: kept.left_out,
            next: kept.next,
            ..Self::new(kept.from, strands_max)
        };
        for strand in kept.strands {
            let mut key = String::new();
            strand.place.write_key(&mut key);
            agents.strands.insert(key.into(), strand);
        }
        agents.make_room();
        Some(agents)
    }

    /// The state, for a snapshot.
    pub(crate) fn kept(&self) -> Vec<u8> {
        let kept = Kept {
            form: FORM,
            from: self.from,
            next: self.next,
            lost: self.lost,
            left_out: self.left_out,
            strands: self.strands.values().collect::<Vec<_>>(),
        };
        serde_json::to_vec(&kept).expect("strings and numbers are JSON")
    }

    /// First seq that was folded.
    pub(crate) const fn from(&self) -> Seq {
        self.from
    }

    /// The next seq to be folded.
    pub(crate) const fn next(&self) -> Seq {
        self.next
    }

    /// Everything up to here is folded; 0 is nothing.
    pub(crate) const fn cursor(&self) -> u64 {
        self.next.get() - 1
    }

    /// Takes in what is before `next`; lines before the state's own place are in it already.
    pub(crate) fn fold<'l>(&mut self, lines: impl Iterator<Item = &'l [u8]>, next: Seq) {
        let names_an_agent = Finder::new(br#","agent":""#);
        for line in lines {
            // Most lines of most ledgers name no agent, and are not read.
            if names_an_agent.find(line).is_none() {
                continue;
            }
            let Ok(view) = LineView::parse(line) else {
                continue;
            };
            if view.seq() >= self.next && self.end.is_none_or(|end| view.seq() < end) {
                self.take(&view);
            }
        }
        self.next = self.next.max(self.within(next));
    }

    /// The same state, which takes in nothing behind `last`.
    pub(crate) fn up_to(self, last: u64) -> Self {
        Self {
            end: Some(Seq::FIRST.plus(last)),
            ..self
        }
    }

    /// Whether it has come to its end.
    pub(crate) fn is_there(&self) -> bool {
        self.end.is_some_and(|end| self.next >= end)
    }

    fn within(&self, next: Seq) -> Seq {
        self.end.map_or(next, |end| next.min(end))
    }

    /// Passes over what is gone.
    pub(crate) fn lose(&mut self, next: Seq) {
        let next = self.within(next);
        if next > self.next {
            self.lost += next.get() - self.next.get();
            self.next = next;
        }
    }

    fn take(&mut self, view: &LineView<'_>) {
        let Some(place) = Place::of(view).filter(|_| !view.backfill()) else {
            return;
        };
        place.write_key(&mut self.key);
        if let Some(strand) = self.strands.get_mut(&*self.key) {
            return strand.take(view);
        }
        let mut strand = Strand::new(place.into_owned(), view);
        strand.take(view);
        self.strands.insert(self.key.as_str().into(), strand);
        self.make_room();
    }

    /// Forgets those that were silent longest, an eighth at once, so that countless names do not cost countless
    /// searches.
    fn make_room(&mut self) {
        if self.strands.len() <= self.strands_max {
            return;
        }
        let kept = self.strands_max - self.strands_max / 8;
        let mut seqs: Vec<Seq> = self.strands.values().map(|strand| strand.seq).collect();
        let (_, oldest, _) = seqs.select_nth_unstable_by(kept - 1, |a, b| b.cmp(a));
        let oldest = *oldest;
        let before = self.strands.len();
        self.strands.retain(|_, strand| strand.seq >= oldest);
        self.left_out += (before - self.strands.len()) as u64;
    }

    /// What a reader is told: all its agents, those that were heard last first.
    pub(crate) fn page(&self, principal: &Principal, now: Micros, limit: usize) -> AgentsPage {
        let mut agents = answer::agents(self.visible(principal), now);
        let total = agents.len();
        agents.truncate(limit);
        AgentsPage {
            cursor: self.cursor(),
            from: self.from.get(),
            lost: self.lost,
            left_out: self.left_out,
            total,
            agents,
        }
    }

    /// How many agents a reader may see.
    pub(crate) fn count(&self, principal: &Principal) -> usize {
        let names: std::collections::HashSet<_> = self
            .visible(principal)
            .map(|strand| &*strand.place.agent)
            .collect();
        names.len()
    }

    fn visible(&self, principal: &Principal) -> impl Iterator<Item = &Strand> {
        self.strands
            .values()
            .filter(move |strand| strand.place.is_for(principal))
    }
}

#[cfg(test)]
mod tests;
