//! Which feeds an event may be for, found without asking each of them.
//!
//! Many filters want one value of a key (`session:3f2a type:tool.*`): their feeds are looked up by the values that an
//! event has. Other filters are tried if that is cheap. Where it is not (long filters, and those that look into
//! `data`), the feed is woken, and its readers find out at their own expense.

use std::{collections::HashMap, sync::Arc};

use kymo_event::{
    Filter, LineView, Seq,
    filter::{Key, Node, Test},
};

use super::Feed;
use crate::{frames::view, ring::Chunk};

/// A filter whose text is longer is not tried on behalf of others.
const CHEAP_BYTES: usize = 256;
/// What reading a line costs, in looks.
const READING: usize = 4;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Wants {
    /// By a key and the values of it that their filters want.
    by_value: HashMap<Key, HashMap<Box<str>, Vec<Arc<Feed>>>>,
    /// Those who want no certain value, and may be tried.
    tried: Vec<Arc<Feed>>,
    /// Everything may be for these.
    anything: Vec<Arc<Feed>>,
}

impl Wants {
    pub(super) fn add(&mut self, feed: &Arc<Feed>) {
        match values(feed.filter.tree()) {
            Some(values) => {
                for (key, value) in values {
                    let feeds = self.by_value.entry(key).or_default();
                    feeds.entry(value.into()).or_default().push(Arc::clone(feed));
                }
            }
            None if is_cheap(&feed.filter) => self.tried.push(Arc::clone(feed)),
            None => self.anything.push(Arc::clone(feed)),
        }
    }

    pub(super) fn remove(&mut self, feed: &Feed) {
        let others = |other: &Arc<Feed>| other.number != feed.number;
        match values(feed.filter.tree()) {
            Some(values) => {
                for (key, value) in values {
                    let Some(feeds) = self.by_value.get_mut(&key) else {
                        continue;
                    };
                    if let Some(list) = feeds.get_mut(value) {
                        list.retain(others);
                        if list.is_empty() {
                            feeds.remove(value);
                        }
                    }
                    if feeds.is_empty() {
                        self.by_value.remove(&key);
                    }
                }
            }
            None if is_cheap(&feed.filter) => self.tried.retain(others),
            None => self.anything.retain(others),
        }
    }

    /// Wakes those for whom there may be something; `None` once that took more than `budget` looks.
    pub(super) fn wake_those_for(&self, chunks: &[Arc<Chunk>], from: Seq, mut budget: usize) -> Option<()> {
        self.anything.iter().for_each(|feed| feed.wake(from));
        let mut tried: Vec<_> = self.tried.iter().filter(|feed| feed.is_waited_for()).collect();
        if tried.is_empty() && self.by_value.is_empty() {
            return Some(());
        }
        for chunk in chunks {
            let lines = chunk.lines_from(from);
            budget = budget.checked_sub(lines.len() * READING)?;
            let views: Vec<_> = lines.filter_map(view).collect();
            for view in &views {
                self.wake_by_value(view, from, &mut budget)?;
            }
            budget = budget.checked_sub(views.len() * tried.len())?;
            tried.retain(|feed| {
                let is_for_it = views.iter().any(|view| feed.filter.matches(view));
                if is_for_it {
                    feed.wake(from);
                }
                !is_for_it
            });
        }
        Some(())
    }

    fn wake_by_value(&self, view: &LineView<'_>, from: Seq, budget: &mut usize) -> Option<()> {
        for (key, feeds) in &self.by_value {
            let Some(feeds) = view.key(*key).and_then(|value| feeds.get(&*value)) else {
                continue;
            };
            *budget = budget.checked_sub(feeds.len())?;
            for feed in feeds {
                if feed.is_waited_for() && (!is_cheap(&feed.filter) || feed.filter.matches(view)) {
                    feed.wake(from);
                }
            }
        }
        Some(())
    }
}

/// Whether trying it costs less than waking a reader, whatever the event.
fn is_cheap(filter: &Filter) -> bool {
    !filter.is_all() && !filter.needs_payload() && filter.canonical().len() <= CHEAP_BYTES
}

/// Values of keys of which an event must have one to pass; of several such lists the one that is likely to leave out
/// most.
fn values(node: &Node) -> Option<Vec<(Key, &str)>> {
    match node {
        // Types compare with separators folded.
        Node::Key(key, Test::Is(value)) if *key != Key::Type => Some(vec![(*key, value)]),
        Node::Or(parts) => parts
            .iter()
            .map(values)
            .collect::<Option<Vec<_>>>()
            .map(|all| all.concat()),
        Node::And(parts) => parts.iter().filter_map(values).min_by_key(|values| {
            let usual = values.iter().map(|(key, _)| usual(*key)).max();
            (usual, values.len())
        }),
        _ => None,
    }
}

/// How many events share a value of this key, roughly.
const fn usual(key: Key) -> u8 {
    match key {
        Key::Id | Key::Span | Key::Parent => 0,
        Key::Trace | Key::Task | Key::Session => 1,
        Key::Agent | Key::User => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests;
