//! Finds the names of a mapping among those of a record: a look at length, first and last byte passes nearly all others.
use super::{KYMO, Mapping, MappingError, Slot};

/// Every name that means something in a form.
pub(super) struct Keys {
    entries: Vec<Entry>,
    /// Of each bucket, the first entry in it.
    heads: [u8; BUCKETS],
    pointers: Vec<(Slot, Box<str>)>,
}

/// A name of a mapping.
pub(super) struct Entry {
    pub(super) name: Box<str>,
    pub(super) means: Means,
    /// Lower ranks go first.
    pub(super) rank: u8,
    /// The form has it by itself; others a user added.
    pub(super) own: bool,
    /// The next entry in the same bucket.
    next: u8,
}

/// What a name of a record stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Means {
    Slot(Slot),
    /// The whole payload.
    Payload,
}

const BUCKETS: usize = 64;
const END: u8 = u8::MAX;

impl Keys {
    /// Names at most: one bit of a word remembers each that was met.
    pub(super) const MAX: usize = 128;

    /// The names of `own`, then those of `added`; `spellings`: in each manner of joining words.
    pub(super) fn new(
        own: &Mapping,
        added: &Mapping,
        payload: Option<&str>,
        spellings: bool,
    ) -> Result<Self, MappingError> {
        let mut keys = Self {
            entries: Vec::new(),
            heads: [END; BUCKETS],
            pointers: Vec::new(),
        };
        if let Some(name) = payload {
            keys.add(name.to_owned(), Means::Payload, 0, true)?;
        }
        for slot in Slot::ALL {
            let own = own.keys(slot).iter().map(|name| (name, true));
            let added = added.keys(slot).iter().map(|name| (name, false));
            let mut rank = 0_u8;
            let mut respelled = Vec::new();
            for (name, own) in own.chain(added) {
                if let Some(path) = name.strip_prefix('/') {
                    if path.is_empty() {
                        return Err(unusable(name, slot));
                    }
                    keys.pointers.push((slot, name.as_str().into()));
                    continue;
                }
                if name.is_empty() || name == KYMO {
                    return Err(unusable(name, slot));
                }
                keys.add(name.clone(), Means::Slot(slot), rank, own)?;
                rank = rank.saturating_add(1);
                if spellings {
                    respelled.extend(spellings_of(name).map(|name| (name, own)));
                }
            }
            // A name in another spelling gives way to every one in its own.
            for (name, own) in respelled {
                if keys.find(&name).is_none() {
                    keys.add(name, Means::Slot(slot), rank, own)?;
                    rank = rank.saturating_add(1);
                }
            }
        }
        let count = keys.entries.len();
        if count > Self::MAX {
            return Err(MappingError::TooMany {
                count,
                max: Self::MAX,
            });
        }
        Ok(keys)
    }

    fn add(&mut self, name: String, means: Means, rank: u8, own: bool) -> Result<(), MappingError> {
        if let Some(index) = self.find(&name) {
            let entry = self.entry(index);
            if entry.means == means {
                return Ok(());
            }
            let (first, second) = (entry.means.as_str(), means.as_str());
            return Err(MappingError::Twice { name, first, second });
        }
        if self.entries.len() >= Self::MAX {
            let count = self.entries.len() + 1;
            return Err(MappingError::TooMany {
                count,
                max: Self::MAX,
            });
        }
        let head = &mut self.heads[bucket(name.as_bytes())];
        let next = std::mem::replace(head, u8::try_from(self.entries.len()).expect("checked above"));
        self.entries.push(Entry {
            name: name.into(),
            means,
            rank,
            own,
            next,
        });
        Ok(())
    }

    /// The number of the entry with this name.
    #[inline]
    pub(super) fn find(&self, name: &str) -> Option<u8> {
        let mut at = self.heads[bucket(name.as_bytes())];
        while at != END {
            let entry = &self.entries[usize::from(at)];
            if *entry.name == *name {
                return Some(at);
            }
            at = entry.next;
        }
        None
    }

    #[inline]
    pub(super) fn entry(&self, index: u8) -> &Entry {
        &self.entries[usize::from(index)]
    }

    /// The slot that the entry speaks to, if it is the form's own.
    pub(super) fn slot(&self, index: u8) -> Option<Slot> {
        match self.entry(index) {
            Entry {
                means: Means::Slot(slot),
                own: true,
                ..
            } => Some(*slot),
            _ => None,
        }
    }

    /// The pointers to where a key may be inside something else.
    pub(super) fn pointers(&self, slot: Slot) -> impl Iterator<Item = &str> {
        let of_slot = self.pointers.iter().filter(move |(of, _)| *of == slot);
        of_slot.map(|(_, pointer)| &**pointer)
    }

    pub(super) fn has_pointers(&self) -> bool {
        !self.pointers.is_empty()
    }
}

impl Means {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Slot(slot) => slot.as_str(),
            Self::Payload => "data",
        }
    }
}

#[inline(always)]
fn bucket(name: &[u8]) -> usize {
    let ends = |(first, last): (&u8, &u8)| usize::from(*first) * 5 + usize::from(*last);
    (name.len() * 7 + name.first().zip(name.last()).map_or(0, ends)) % BUCKETS
}

/// `task_id` as `taskId` and `TaskId`; a name that is not in snake_case has no other spelling.
fn spellings_of(name: &str) -> impl Iterator<Item = String> {
    let snake = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let mut words = name.split('_').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    let pascal: String = words.by_ref().collect();
    let camel = name
        .chars()
        .take(1)
        .chain(pascal.chars().skip(1))
        .collect::<String>();
    [camel, pascal]
        .into_iter()
        .filter(move |spelling| snake && spelling != name)
        .collect::<Vec<_>>()
        .into_iter()
}

fn unusable(name: &str, slot: Slot) -> MappingError {
    let (name, slot) = (name.to_owned(), slot.as_str());
    MappingError::Unusable { name, slot }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(own: &[(Slot, &[&str])], added: &[(Slot, &[&str])]) -> Result<Keys, MappingError> {
        Keys::new(&Mapping::of(own), &Mapping::of(added), Some("data"), true)
    }

    #[test]
    fn a_name_is_found_in_each_spelling_and_its_own_goes_first() {
        let keys = keys(&[(Slot::Task, &["task_id", "job"])], &[]).unwrap();
        let rank = |name| keys.find(name).map(|index| keys.entry(index).rank);
        assert_eq!((rank("task_id"), rank("job")), (Some(0), Some(1)));
        assert!(rank("taskId") > rank("job") && rank("TaskId") > rank("job") && rank("Job").is_some());
        assert_eq!((rank("taskid"), rank("TASK_ID"), rank("")), (None, None, None));
        assert_eq!(
            keys.find("data").map(|index| keys.entry(index).means),
            Some(Means::Payload)
        );
    }

    #[test]
    fn what_cannot_be_followed_is_refused_by_name() {
        let twice = keys(&[(Slot::Task, &["id"])], &[(Slot::Session, &["id"])]);
        let message = twice.err().unwrap().to_string();
        assert!(
            message.contains("`id` is given as `session` and as `task`"),
            "{message}"
        );
        for name in ["", "/", "kymo"] {
            let refused = keys(&[], &[(Slot::Agent, &[name])]).err();
            assert!(
                matches!(refused, Some(MappingError::Unusable { slot: "agent", .. })),
                "{name}"
            );
        }
        assert!(keys(&[], &[(Slot::Type, &["data"])]).is_err());
        let many: Vec<String> = (0..200).map(|number| format!("K{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(matches!(
            keys(&[], &[(Slot::User, &many)]),
            Err(MappingError::TooMany { .. })
        ));
    }
}
