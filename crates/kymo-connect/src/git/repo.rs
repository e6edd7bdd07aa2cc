//! A repository and what was last known of it.
//!
//! [`Repo::refresh`] compares with what is there now and says what happened in between, each thing once. The reflog of
//! HEAD tells it step by step; refs are compared for what happened beside HEAD.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    GitChange, Places,
    program::{self, Details},
    reflog::{Cursor, Entry, Meaning},
    refs::{self, Head, Refs},
};

/// Details are asked for so many commits at once.
const DETAILS_MAX: usize = 100;
/// Branches and tags reported one by one in one go; the rest is counted (a fetch can bring thousands of tags).
const REFS_MAX: usize = 200;
/// A merge that does not stop is in progress for a moment too: only one that lasts is said.
const LASTS: Duration = Duration::from_secs(1);
/// Between two looks at something that is under way.
const AGAIN: Duration = Duration::from_millis(250);
/// Branch positions remembered as reported, so that the ref that follows its reflog line is no news.
const EXPLAINED_MAX: usize = 1_000;

/// A repository under watch.
pub(crate) struct Repo {
    places: Places,
    head: Head,
    refs: Refs,
    log: Cursor,
    /// Reflog lines before this second are history: the repository was moved here with its past.
    since: Option<i64>,
    /// The branch HEAD is on as far as the reflog was read.
    on: Option<String>,
    operation: Option<&'static str>,
    /// An operation that was seen and is not said yet, since when.
    suspected: Option<(&'static str, Instant)>,
    committed_in_operation: bool,
    explained: Vec<(String, String)>,
}

impl Repo {
    /// Everything that is there now is known.
    pub(crate) fn open(places: Places) -> Self {
        let mut repo = Self::appeared(places, 0);
        repo.log.read_new(&repo.places.gitdir.join("logs/HEAD"));
        repo.since = None;
        repo
    }

    /// The repository appeared at this second while its folder was watched: what was done in it since then is news.
    pub(crate) fn appeared(places: Places, since: i64) -> Self {
        let (head, refs) = refs::read(&places).unwrap_or_default();
        Self {
            on: head.branch.clone(),
            operation: operation(&places),
            log: Cursor::default(),
            since: Some(since),
            suspected: None,
            committed_in_operation: false,
            explained: Vec::new(),
            places,
            head,
            refs,
        }
    }

    pub(crate) fn places(&self) -> &Places {
        &self.places
    }

    /// Branch and commit, for the summary at start.
    pub(crate) fn summary(&self) -> Value {
        json!({"branch": self.head.branch, "head": self.head.hash})
    }

    /// What happened since the last time, in order; and when to look again because something is under way.
    pub(crate) fn refresh(&mut self, now: Instant) -> (Vec<GitChange>, Option<Duration>) {
        // Refs before the reflog: git writes the reflog first, so the reflog then explains every ref that was read.
        let Some((head, refs)) = refs::read(&self.places) else {
            return (Vec::new(), Some(AGAIN));
        };
        let entries = self.read_log();
        let mut changes = Vec::new();
        let mut later = Vec::new();
        self.follow_log(&entries, &refs, &mut later);
        if !self.has_log() {
            self.compare_head(&head, &mut later);
        }
        self.compare_refs(&head, &refs, &mut changes, &mut later);
        changes.append(&mut later);
        self.compare_operation(now, &mut changes);
        (self.head, self.refs) = (head, refs);
        (changes, self.suspected.map(|_| AGAIN))
    }

    fn has_log(&self) -> bool {
        self.places.gitdir.join("logs/HEAD").exists()
    }

    fn read_log(&mut self) -> Vec<Entry> {
        let mut entries = self.log.read_new(&self.places.gitdir.join("logs/HEAD"));
        if let Some(since) = self.since {
            entries.retain(|entry| entry.when >= since);
        }
        if !entries.is_empty() {
            self.since = None;
        }
        entries
    }

    /// One change per reflog line that tells something.
    fn follow_log(&mut self, entries: &[Entry], refs: &Refs, changes: &mut Vec<GitChange>) {
        let commits = entries
            .iter()
            .filter(|entry| matches!(entry.meaning(), Meaning::Commit { .. }));
        let details = self.details(commits.map(|entry| entry.new.as_str()).collect());
        for entry in entries {
            match entry.meaning() {
                Meaning::Commit { via } if entry.old != entry.new => {
                    changes.push(self.commit(entry, via, &details));
                    self.committed_in_operation = true;
                    self.explain(&entry.new);
                }
                Meaning::Checkout { from, to } if from != to => {
                    self.on = refs.contains_key(&format!("refs/heads/{to}")).then(|| to.clone());
                    changes.push(self.checkout(&from, &to, entry));
                }
                Meaning::Started => {
                    self.on = None;
                    self.begin("rebase", changes);
                }
                Meaning::Ended { branch, aborted } => {
                    self.on = branch.or(self.on.take());
                    self.end(if aborted { "aborted" } else { "finished" }, changes);
                }
                Meaning::Moved if entry.old != entry.new => {
                    changes.extend(self.moved(entry));
                    self.explain(&entry.new);
                }
                _ => {}
            }
        }
    }

    fn details(&self, hashes: Vec<&str>) -> HashMap<String, Result<Details, String>> {
        let mut known = HashMap::new();
        for some in hashes.chunks(DETAILS_MAX) {
            match program::details(&self.places.work, some) {
                Ok(details) => known.extend(details.into_iter().map(|one| (one.hash.clone(), Ok(one)))),
                Err(problem) => {
                    known.extend(some.iter().map(|hash| ((*hash).to_owned(), Err(problem.clone()))))
                }
            }
        }
        known
    }

    fn commit(
        &self,
        entry: &Entry,
        via: &str,
        details: &HashMap<String, Result<Details, String>>,
    ) -> GitChange {
        let (author, subject, merge, numbers) = match details.get(&entry.new) {
            Some(Ok(known)) => (
                &*known.author,
                &*known.subject,
                known.parents > 1,
                Ok(known.numbers),
            ),
            Some(Err(problem)) => (&*entry.who, entry.subject(), false, Err(problem.clone())),
            None => (
                &*entry.who,
                entry.subject(),
                false,
                Err("git does not know the commit any more".to_owned()),
            ),
        };
        let mut data = json!({"hash": entry.new, "subject": subject, "author": author, "branch": self.on});
        if via != "commit" {
            data["via"] = via.into();
        }
        if via == "amend" {
            data["amends"] = entry.old.as_str().into();
        }
        if merge {
            data["merge"] = true.into();
        }
        GitChange::new("git.commit", data).with_numbers(numbers)
    }

    fn checkout(&self, from: &str, to: &str, entry: &Entry) -> GitChange {
        let data = json!({"from": from, "to": to, "branch": self.on, "hash": entry.new});
        GitChange::new("git.checkout", data).with_numbers(self.difference(&entry.old, &entry.new))
    }

    /// HEAD's branch went to a commit that was there already; nothing for the first line of a new worktree.
    fn moved(&self, entry: &Entry) -> Option<GitChange> {
        if is_none(&entry.old) && entry.message.is_empty() {
            return None;
        }
        Some(self.updated(
            self.on.as_deref(),
            &entry.old,
            &entry.new,
            &without_secrets(&entry.message),
        ))
    }

    fn updated(&self, branch: Option<&str>, from: &str, to: &str, reason: &str) -> GitChange {
        let mut data = json!({"branch": branch, "to": to, "reason": reason});
        if is_none(from) {
            return GitChange::new("git.branch_updated", data);
        }
        data["from"] = from.into();
        if let Ok(commits) = program::between(&self.places.work, from, to) {
            data["commits"] = commits.len().into();
        }
        GitChange::new("git.branch_updated", data).with_numbers(self.difference(from, to))
    }

    fn difference(&self, from: &str, to: &str) -> Result<program::Numbers, String> {
        if from == to || is_none(from) {
            return Ok(program::Numbers::default());
        }
        program::difference(&self.places.work, from, to)
    }

    fn explain(&mut self, hash: &str) {
        if let Some(branch) = &self.on {
            let surplus = (self.explained.len() + 1).saturating_sub(EXPLAINED_MAX);
            self.explained.drain(..surplus);
            self.explained.push((branch.clone(), hash.to_owned()));
        }
    }

    /// Without a reflog HEAD itself has to tell.
    fn compare_head(&mut self, head: &Head, changes: &mut Vec<GitChange>) {
        let (old, new) = (
            self.head.hash.clone().unwrap_or_default(),
            head.hash.clone().unwrap_or_default(),
        );
        if head.branch != self.head.branch || (head.branch.is_none() && old != new) {
            let name = |head: &Head| head.branch.clone().or(head.hash.clone());
            let data =
                json!({"from": name(&self.head), "to": name(head), "branch": head.branch, "hash": head.hash});
            let numbers = self.difference(&old, &new);
            changes.push(GitChange::new("git.checkout", data).with_numbers(numbers));
        } else if old != new && !new.is_empty() {
            self.commits_between(&old, &new, changes);
        }
        self.on.clone_from(&head.branch);
    }

    fn commits_between(&mut self, old: &str, new: &str, changes: &mut Vec<GitChange>) {
        let work = &self.places.work;
        let commits = if is_none(old) {
            Ok(vec![new.to_owned()])
        } else {
            program::between(work, old, new)
        };
        let commits = commits.unwrap_or_default();
        if commits.is_empty() || commits.len() > DETAILS_MAX {
            return; // moved back, or far: comparing the refs reports it
        }
        let details = self.details(commits.iter().map(String::as_str).collect());
        for hash in &commits {
            let entry = Entry {
                old: old.into(),
                new: hash.clone(),
                who: String::new(),
                when: 0,
                message: String::new(),
            };
            changes.push(self.commit(&entry, "commit", &details));
            self.explain(hash);
        }
    }

    /// Branches and tags beside what the reflog told: new ones go first, since a checkout may follow.
    fn compare_refs(&self, head: &Head, refs: &Refs, first: &mut Vec<GitChange>, last: &mut Vec<GitChange>) {
        let names = self
            .refs
            .keys()
            .chain(refs.keys().filter(|name| !self.refs.contains_key(*name)));
        let changed = names.filter(|name| self.refs.get(*name) != refs.get(*name));
        let mut left_out = 0_u64;
        for (count, full) in changed.enumerate() {
            if count >= REFS_MAX {
                left_out += 1;
                continue;
            }
            let (old, new) = (
                self.refs.get(full).map(String::as_str),
                refs.get(full).map(String::as_str),
            );
            if let Some(branch) = full.strip_prefix("refs/heads/") {
                match (old, new) {
                    (None, Some(hash)) if !self.is_first_commit(head, branch, hash) => {
                        first.push(GitChange::new(
                            "git.branch_created",
                            json!({"branch": branch, "hash": hash}),
                        ));
                    }
                    (Some(hash), None) => {
                        last.push(GitChange::new(
                            "git.branch_removed",
                            json!({"branch": branch, "hash": hash}),
                        ));
                    }
                    (Some(from), Some(to)) if !self.is_explained(branch, to) => {
                        last.push(self.updated(Some(branch), from, to, self.operation.unwrap_or("moved")));
                    }
                    _ => {}
                }
            } else if let Some(tag) = full.strip_prefix("refs/tags/") {
                let kind = if new.is_some() {
                    "git.tag_created"
                } else {
                    "git.tag_removed"
                };
                last.push(GitChange::new(kind, json!({"tag": tag, "hash": new.or(old)})));
            }
        }
        if left_out > 0 {
            let data = json!({"shown": REFS_MAX, "left_out": left_out});
            last.push(GitChange::new("git.refs_changed", data));
        }
    }

    fn is_explained(&self, branch: &str, hash: &str) -> bool {
        self.explained
            .iter()
            .any(|(known, at)| known == branch && at == hash)
    }

    /// The branch of an empty repository comes into being with its first commit, which is reported already.
    fn is_first_commit(&self, head: &Head, branch: &str, hash: &str) -> bool {
        self.head.hash.is_none() && head.branch.as_deref() == Some(branch) && self.is_explained(branch, hash)
    }

    fn compare_operation(&mut self, now: Instant, changes: &mut Vec<GitChange>) {
        let seen = operation(&self.places);
        let suspected = self.suspected.take();
        if self.operation == seen {
            return;
        }
        let done = self.committed_in_operation;
        self.end(if done { "finished" } else { "aborted" }, changes);
        match (seen, suspected) {
            (Some(operation), Some((same, since))) if operation == same => {
                if now >= since + LASTS {
                    self.begin(operation, changes);
                } else {
                    self.suspected = suspected;
                }
            }
            (Some(operation), _) => self.suspected = Some((operation, now)),
            (None, _) => {}
        }
    }

    fn begin(&mut self, operation: &'static str, changes: &mut Vec<GitChange>) {
        if self.operation != Some(operation) {
            self.operation = Some(operation);
            self.committed_in_operation = false;
            changes.push(GitChange::state(operation, "started"));
        }
    }

    fn end(&mut self, state: &str, changes: &mut Vec<GitChange>) {
        if let Some(operation) = self.operation.take() {
            changes.push(GitChange::state(operation, state));
        }
    }
}

/// What the repository is in the middle of.
fn operation(places: &Places) -> Option<&'static str> {
    const MARKS: [(&str, &str); 7] = [
        ("rebase-merge", "rebase"),
        ("rebase-apply/applying", "am"),
        ("rebase-apply", "rebase"),
        ("MERGE_HEAD", "merge"),
        ("CHERRY_PICK_HEAD", "cherry-pick"),
        ("REVERT_HEAD", "revert"),
        ("BISECT_LOG", "bisect"),
    ];
    MARKS
        .iter()
        .find(|(mark, _)| places.gitdir.join(mark).exists())
        .map(|(_, operation)| *operation)
}

/// The hash that stands for "nothing".
fn is_none(hash: &str) -> bool {
    hash.bytes().all(|byte| byte == b'0')
}

/// Reflog messages quote addresses as they were typed, passwords included.
fn without_secrets(message: &str) -> String {
    let hide = |word: &str| match word.split_once("://") {
        Some((scheme, rest)) => {
            let host = rest
                .split('/')
                .next()
                .unwrap_or(rest)
                .rfind('@')
                .map_or(rest, |at| &rest[at + 1..]);
            format!("{scheme}://{host}")
        }
        None => word.to_owned(),
    };
    message.split(' ').map(hide).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_addresses_are_not_passed_on() {
        let message = "pull https://ada:s3cr@t@example.org/x.git main: Fast-forward";
        assert_eq!(
            without_secrets(message),
            "pull https://example.org/x.git main: Fast-forward"
        );
        assert_eq!(
            without_secrets("merge a@b: Fast-forward"),
            "merge a@b: Fast-forward"
        );
    }
}
