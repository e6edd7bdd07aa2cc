//! The reflog of HEAD: the repository's own record of what was done, in order, nothing missing.
//!
//! [`Cursor::read_new`] gives what was added since the last look, and copes with a file that was cut or rewritten.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use super::refs::is_hash;

/// One line of the reflog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) old: String,
    pub(super) new: String,
    pub(super) who: String,
    /// Seconds since 1970, as its writer's clock said.
    pub(super) when: i64,
    pub(super) message: String,
}

/// What a line tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A commit was made, by this kind of command.
    Commit { via: &'static str },
    /// HEAD was moved to another branch or commit.
    Checkout { from: String, to: String },
    /// A rebase began.
    Started,
    /// A rebase came to its end, back on this branch.
    Ended { branch: Option<String>, aborted: bool },
    /// The branch was moved to a commit that was there already.
    Moved,
}

impl Entry {
    /// `<old> <new> <name> <mail> <seconds> <zone>TAB<message>`; `None` also where old and new are no hashes.
    fn parse(line: &str) -> Option<Self> {
        let (head, message) = line.split_once('\t').unwrap_or((line, ""));
        let (old, rest) = head.split_once(' ')?;
        let (new, rest) = rest.split_once(' ')?;
        if !is_hash(old) || !is_hash(new) {
            return None;
        }
        let (who, rest) = rest.split_once('<').unwrap_or((rest, ""));
        let when = rest.rsplit('>').next()?.split_whitespace().next()?;
        Some(Self {
            old: old.to_owned(),
            new: new.to_owned(),
            who: who.trim().to_owned(),
            when: when.parse().ok()?,
            message: message.to_owned(),
        })
    }

    /// The subject in a message like `commit (amend): Say hello`.
    pub(super) fn subject(&self) -> &str {
        self.message.split_once(": ").map_or("", |(_, subject)| subject)
    }

    pub(super) fn meaning(&self) -> Meaning {
        let (action, rest) = self.message.split_once(": ").unwrap_or((&self.message, ""));
        if let Some((from, to)) = rest
            .strip_prefix("moving from ")
            .and_then(|rest| rest.split_once(" to "))
            && action == "checkout"
        {
            return Meaning::Checkout {
                from: from.to_owned(),
                to: to.to_owned(),
            };
        }
        // `commit (amend)`, but also `pull --rebase origin main (pick)`: the last word tells.
        let (command, step) = match action.rsplit_once(" (") {
            Some((command, step)) => (command, step.trim_end_matches(')')),
            None => (action, ""),
        };
        match (command, step) {
            ("commit", "amend") => Meaning::Commit { via: "amend" },
            ("commit", "merge") => Meaning::Commit { via: "merge" },
            ("commit", "cherry-pick") => Meaning::Commit { via: "cherry-pick" },
            ("commit", "revert") => Meaning::Commit { via: "revert" },
            ("commit", _) => Meaning::Commit { via: "commit" },
            ("cherry-pick", _) => Meaning::Commit { via: "cherry-pick" },
            ("revert", _) => Meaning::Commit { via: "revert" },
            ("am", _) => Meaning::Commit { via: "am" },
            _ if rest.starts_with("Merge made by") => Meaning::Commit { via: "merge" },
            (_, "start") => Meaning::Started,
            (_, "finish") => Meaning::Ended {
                branch: returned_to(rest),
                aborted: false,
            },
            (_, "abort") => Meaning::Ended {
                branch: returned_to(rest),
                aborted: true,
            },
            (_, "pick" | "reword" | "edit" | "squash" | "fixup" | "continue" | "merge") => {
                Meaning::Commit { via: "rebase" }
            }
            _ => Meaning::Moved,
        }
    }
}

fn returned_to(rest: &str) -> Option<String> {
    rest.strip_prefix("returning to ")
        .map(|name| name.trim_start_matches("refs/heads/").to_owned())
}

/// How far the reflog was read.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    offset: u64,
    /// The last bytes read: when they are not there any more, the file was rewritten.
    tail: Vec<u8>,
}

impl Cursor {
    const TAIL: usize = 256;

    /// Whole lines added since the last time; none when there is no such file.
    pub(super) fn read_new(&mut self, path: &Path) -> Vec<Entry> {
        let Ok(text) = self.read_bytes(path) else {
            *self = Self::default();
            return Vec::new();
        };
        let whole = text
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        let text = &text[..whole];
        self.offset += whole as u64;
        self.tail
            .extend_from_slice(&text[text.len().saturating_sub(Self::TAIL)..]);
        self.tail.drain(..self.tail.len().saturating_sub(Self::TAIL));
        String::from_utf8_lossy(text)
            .lines()
            .filter_map(Entry::parse)
            .collect()
    }

    fn read_bytes(&mut self, path: &Path) -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(
            self.offset.saturating_sub(self.tail.len() as u64),
        ))?;
        file.read_to_end(&mut text)?;
        if text.starts_with(&self.tail) {
            text.drain(..self.tail.len());
            return Ok(text);
        }
        self.find_again(&mut file)
    }

    /// After an expiry our last line is somewhere else; without it everything there is old.
    fn find_again(&mut self, file: &mut File) -> std::io::Result<Vec<u8>> {
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(0))?;
        file.read_to_end(&mut text)?;
        let begin = self
            .tail
            .trim_ascii_end()
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let last = &self.tail[begin..];
        let found = (!last.is_empty())
            .then(|| text.windows(last.len()).rposition(|part| part == last))
            .flatten();
        let known = found.map_or(text.len(), |at| at + last.len());
        self.offset = known as u64;
        self.tail.clear();
        Ok(text.split_off(known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(message: &str) -> Meaning {
        let (old, new) = ("a".repeat(40), "b".repeat(40));
        Entry::parse(&format!(
            "{old} {new} Ada Lovelace <ada@x> 1763600000 +0100\t{message}"
        ))
        .unwrap()
        .meaning()
    }

    #[test]
    fn a_line_whose_hashes_are_none_is_no_entry() {
        let hash = "a".repeat(40);
        for (old, new) in [
            ("--output=x", &*hash),
            (&*hash, "--output=x"),
            ("", &*hash),
            ("aa", "bb"),
        ] {
            let line = format!("{old} {new} Ada <ada@x> 1763600000 +0100\tcheckout: moving from a to b");
            assert_eq!(Entry::parse(&line), None, "{line}");
        }
    }

    #[test]
    fn messages_of_the_reflog_are_understood() {
        for (message, via) in [
            ("commit: Say: hello", "commit"),
            ("commit (initial): a", "commit"),
            ("commit (amend): a", "amend"),
            ("commit (merge): a", "merge"),
            ("merge topic: Merge made by the 'ort' strategy.", "merge"),
            ("pull origin main: Merge made by the 'ort' strategy.", "merge"),
            ("cherry-pick: a", "cherry-pick"),
            ("revert: Revert \"a\"", "revert"),
            ("rebase (pick): a", "rebase"),
            ("pull --rebase origin main (pick): a", "rebase"),
            ("rebase -i (continue): a", "rebase"),
        ] {
            assert_eq!(meaning(message), Meaning::Commit { via }, "{message}");
        }
        for message in [
            "merge topic: Fast-forward",
            "reset: moving to HEAD~1",
            "clone: from https://x/y",
            "",
            "pull: Fast-forward",
        ] {
            assert_eq!(meaning(message), Meaning::Moved, "{message}");
        }
        let checkout = Meaning::Checkout {
            from: "main".into(),
            to: "a/b".into(),
        };
        assert_eq!(meaning("checkout: moving from main to a/b"), checkout);
        assert_eq!(meaning("rebase (start): checkout main"), Meaning::Started);
        let ended = |aborted| Meaning::Ended {
            branch: Some("topic".into()),
            aborted,
        };
        assert_eq!(
            meaning("rebase (finish): returning to refs/heads/topic"),
            ended(false)
        );
        assert_eq!(
            meaning("rebase (abort): returning to refs/heads/topic"),
            ended(true)
        );
    }

    #[test]
    fn only_whole_new_lines_are_given_and_a_rewritten_file_repeats_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("HEAD");
        let line = |n: u32| format!("{n:040} {:040} A <a@x> 1763600000 +0000\tcommit: {n}\n", n + 1);
        let messages =
            |entries: Vec<Entry>| entries.into_iter().map(|entry| entry.message).collect::<Vec<_>>();
        let mut cursor = Cursor::default();
        assert!(cursor.read_new(&path).is_empty());
        std::fs::write(&path, line(1) + &line(2) + "half").unwrap();
        assert_eq!(messages(cursor.read_new(&path)), ["commit: 1", "commit: 2"]);
        std::fs::write(&path, line(1) + &line(2) + &line(3) + &line(4)).unwrap();
        assert_eq!(messages(cursor.read_new(&path)), ["commit: 3", "commit: 4"]);
        std::fs::write(&path, line(3) + &line(4) + &line(5)).unwrap();
        assert_eq!(messages(cursor.read_new(&path)), ["commit: 5"]);
        std::fs::write(&path, line(8)).unwrap();
        assert!(cursor.read_new(&path).is_empty(), "what is not ours is old");
        std::fs::write(&path, line(8) + &line(9)).unwrap();
        assert_eq!(messages(cursor.read_new(&path)), ["commit: 9"]);
    }
}
