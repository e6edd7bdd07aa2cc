//! What became of the files: grown, cut, renamed, replaced, gone, new.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::File,
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use kymo_event::Micros;

use super::{
    cursor::{Identity, Kept, identity},
    following::{At, Following, Mark},
    generation::{Generation, name_of},
    roster::{Lost, Roster},
    whereabouts::{device_of_folder, is_in_reach, whereabouts},
};
use crate::{clock::micros, stamp::Stamp};

/// A file that nothing leads to any more is followed until it did not grow for so long: whoever writes to it may not
/// have heard that it was rotated away.
pub(super) const LEAVES_AFTER: Duration = Duration::from_secs(300);
/// A file that stays empty for so long has ended what was in it.
pub(super) const ENDS_AFTER: Duration = Duration::from_secs(1);
/// What was not written to for so long before everything was looked at last had been there then, elsewhere.
const OLDER_BY: Micros = Micros(2_000_000);

/// A file that nobody knows.
struct New {
    path: PathBuf,
    stamp: Stamp,
    /// What it may be a part of.
    was: Option<Generation>,
}

impl Roster {
    /// Looks at everything. `wall`: what the clock says.
    pub(super) fn look(&mut self, now: Instant, wall: Micros) {
        self.is_stale = false;
        let present = self.patterns.find();
        self.problems = present.unseen;
        self.directories = present.directories;
        let mut seen = HashSet::new();
        let mut rest = Vec::new();
        for (path, stamp) in present.files {
            match self.by_path.get(&path).copied() {
                Some(number) if self.files[&number].is(&stamp) => {
                    seen.insert(number);
                    self.see(number, &stamp, now);
                }
                _ => rest.push((path, stamp)),
            }
        }
        let rest = self.recognise_moved(rest, &mut seen, now);
        let missing: Vec<u64> = self
            .files
            .keys()
            .filter(|number| !seen.contains(*number))
            .copied()
            .collect();
        let replaced = self.begin_new(rest, &missing);
        for number in missing {
            match replaced.get(&number) {
                // Not to be told now: the next look will.
                Some(None) => {}
                by => self.miss(number, by.copied().flatten(), now),
            }
        }
        self.looked = Some(wall.0);
    }

    /// Looks at the file of a path of which something was heard. Whether everything must be looked at instead.
    pub(super) fn glance(&mut self, path: &Path, now: Instant) -> bool {
        let Ok(stamp) = Stamp::at(path) else { return true };
        let number = match (self.by_path.get(path).copied(), &stamp) {
            (Some(number), _) => number,
            // Nothing, or a pipe and the like.
            (None, None) => return false,
            (None, Some(stamp)) => match self.other_name(stamp) {
                Some(number) => number,
                None => return self.patterns.mean(path),
            },
        };
        match stamp {
            Some(stamp) if self.files[&number].is(&stamp) => {
                if let Some(file) = self.files.get_mut(&number) {
                    // Its length and date may be what they were, and its content another one.
                    file.suspicious |= file.end() > 0;
                }
                self.see(number, &stamp, now);
                false
            }
            _ => true,
        }
    }

    /// The file that has another name too and is still there under that one: what is written by one name is heard by it.
    fn other_name(&self, stamp: &Stamp) -> Option<u64> {
        let mut named = self.files.iter().filter(|(_, file)| file.is(stamp));
        let (number, file) = named.next()?;
        let is_there = Stamp::at(&file.path)
            .ok()
            .flatten()
            .is_some_and(|stamp| file.is(&stamp));
        is_there.then_some(*number)
    }

    fn see(&mut self, number: u64, stamp: &Stamp, now: Instant) {
        let file = self.files.get_mut(&number).expect("whoever asks has it");
        let epoch = file.epoch;
        file.see(stamp, now);
        if file.emptied.is_some_and(|since| now >= since + ENDS_AFTER) {
            let missed = file.missed.take();
            self.lost.extend(missed.map(|(from, to)| Lost {
                file: file.path.clone(),
                from,
                to,
            }));
            file.begin_again(true);
            file.emptied = None;
        }
        self.has_new |= file.epoch != epoch;
        if file.is_behind() {
            self.behind.insert(number);
        }
    }

    /// Files that are there under another name; gives back what is none of these.
    fn recognise_moved(
        &mut self,
        rest: Vec<(PathBuf, Stamp)>,
        seen: &mut HashSet<u64>,
        now: Instant,
    ) -> Vec<New> {
        let known: HashMap<Identity, u64> = self
            .files
            .iter()
            .filter_map(|(number, file)| Some((file.identity?, *number)))
            .collect();
        let mut new: Vec<New> = Vec::new();
        let mut first_names = HashMap::new();
        for (path, stamp) in rest {
            let identity = identity(&stamp);
            match identity.and_then(|identity| known.get(&identity)).copied() {
                None => {
                    let first = identity.map(|identity| *first_names.entry(identity).or_insert(new.len()));
                    match first.and_then(|first| new.get_mut(first)) {
                        // A second name of the same file: of the two, what is no link is the file's own.
                        Some(first) if first.path.is_symlink() && !path.is_symlink() => first.path = path,
                        Some(_) => {}
                        None => new.push(New {
                            path,
                            stamp,
                            was: None,
                        }),
                    }
                }
                // Another one was there: that number may have been given again.
                Some(number) if self.by_path.contains_key(&path) && !self.is_moved(number, &path) => {
                    let file = &self.files[&number];
                    let was = (file.end() == 0).then(|| file.generation().cloned()).flatten();
                    if file.end() == 0 && !seen.contains(&number) {
                        // Nothing was read of it, so that this is all there is to know of it.
                        self.remove(number);
                    }
                    new.push(New { path, stamp, was });
                }
                Some(number) if seen.insert(number) => {
                    self.move_to(number, path);
                    let file = self.files.get_mut(&number).expect("it is known");
                    (file.leaving, file.is_deleted) = (None, false);
                    self.see(number, &stamp, now);
                }
                // A second name of the same file.
                Some(_) => {}
            }
        }
        new
    }

    fn is_moved(&self, number: u64, to: &Path) -> bool {
        let file = &self.files[&number];
        file.end() > 0 && matches!(file.is_at(to), Ok(At::Same))
    }

    fn move_to(&mut self, number: u64, path: PathBuf) {
        self.has_new = true;
        let file = self.files.get_mut(&number).expect("whoever asks has it");
        file.lies_on = device_of_folder(&path);
        let before = std::mem::replace(&mut file.path, path.clone());
        if self.by_path.get(&before) == Some(&number) {
            self.by_path.remove(&before);
        }
        self.by_path.insert(path, number);
    }

    /// Begins files that nobody knows. One that was put in the place of another may be that one, written anew; then it
    /// goes on as it. Says which may have been replaced so, by which; by none where that cannot be told now.
    fn begin_new(&mut self, new: Vec<New>, missing: &[u64]) -> HashMap<u64, Option<u64>> {
        let mut stood: BTreeMap<PathBuf, u64> = BTreeMap::new();
        for number in missing {
            let file = &self.files[number];
            let is_candidate = file.leaving.is_none() && !file.is_over;
            // Where two stood one after the other, the one of which something was read.
            if is_candidate && (file.generation().is_some() || !stood.contains_key(&file.path)) {
                stood.insert(file.path.clone(), *number);
            }
        }
        let mut replaced = HashMap::new();
        for New { path, stamp, was } in new {
            let stood = stood.get(&path).copied();
            // What is known of the file itself tells more than what stood there.
            let is_known = was.is_some();
            let before = match stood.filter(|_| !is_known) {
                None => None,
                Some(number) => match self.may_replace(&path, number) {
                    Ok(may_be_it) => may_be_it.then_some(number),
                    Err(why) => {
                        self.problems.insert(path, why.to_string());
                        replaced.insert(number, None);
                        continue;
                    }
                },
            };
            let was = was
                .or_else(|| self.files[&before?].generation().cloned())
                .or_else(|| self.copied(&path));
            let mark = match was {
                Some(was) => Mark::beginning(Some(was), 0),
                None => Mark::beginning(None, if self.is_past(&stamp) { stamp.size } else { 0 }),
            };
            let number = self.add(Kept {
                lies_on: device_of_folder(&path),
                path,
                identity: identity(&stamp),
                size: stamp.size,
                mark,
            });
            self.has_new = true;
            replaced.extend(before.map(|before| (before, Some(number))));
            let waits = stood.map(|stood| (number, (stood, before.is_some())));
            self.waiting.extend(waits);
            let file = self.files.get_mut(&number).expect("it was added");
            file.modified = stamp.modified;
            if file.is_behind() {
                self.behind.insert(number);
            }
        }
        replaced
    }

    /// Whether the file that is at the path now may be the one that stood there, written anew beside it: they begin alike,
    /// or the other is gone, so that it was not put aside. The first record decides.
    fn may_replace(&self, path: &Path, before: u64) -> io::Result<bool> {
        let before = &self.files[&before];
        let begins = before
            .durable
            .proof
            .begins(&File::open(path)?, before.durable.byte)?;
        Ok(begins || whereabouts(before, &self.patterns)?.is_none())
    }

    /// The content of which a file is a copy, where it lies beside the original under a name as rotation gives it: then what
    /// stands where it stood there is the same event. A copy is often met while it is made, so that its beginning decides.
    fn copied(&self, path: &Path) -> Option<Generation> {
        let name = name_of(path);
        if path.file_name()? == name.as_str() {
            return None;
        }
        let file = File::open(path).ok()?;
        let beside = self
            .files
            .values()
            .filter(|other| other.path.parent() == path.parent());
        let mut contents = beside.flat_map(Following::contents);
        let (original, ..) = contents.find(|(generation, read, end)| {
            generation.name == name && read.begins(&file, *end).unwrap_or(false)
        })?;
        Some(original.clone())
    }

    /// Whether a file that nobody knows was there before this source looked at everything last.
    fn is_past(&self, stamp: &Stamp) -> bool {
        let Some(looked) = self.looked else { return true };
        let modified = stamp.modified.map(micros);
        modified.is_some_and(|modified| modified.0 + OLDER_BY.0 < looked)
    }

    /// No path of the settings leads to this file any more.
    fn miss(&mut self, number: u64, replaced_by: Option<u64>, now: Instant) {
        let stamp = match self.remains(number, replaced_by.is_some()) {
            Ok(stamp) => stamp,
            Err(why) => {
                let path = self.files[&number].path.clone();
                self.problems.entry(path).or_insert(why);
                return;
            }
        };
        let file = self.files.get_mut(&number).expect("whoever asks has it");
        let Some(stamp) = stamp else {
            let unread = (file.end(), file.size);
            let missed = (file.unread() > 0 && !file.is_over).then_some(unread);
            file.is_over = true;
            let lost = missed.map(|(from, to)| Lost {
                file: file.path.clone(),
                from,
                to,
            });
            self.behind.insert(number);
            match replaced_by.and_then(|new| self.files.get_mut(&new)) {
                // What stands there now may have it too.
                Some(new) => new.missed = missed,
                None => self.lost.extend(lost),
            }
            return;
        };
        let since = *file.leaving.get_or_insert(now);
        self.see(number, &stamp, now);
        let file = self.files.get_mut(&number).expect("it is still there");
        if file.unread() == 0 && now >= file.leaving.unwrap_or(since) + LEAVES_AFTER {
            file.is_over = true;
            self.behind.insert(number);
        }
    }

    /// What there still is of a file to which no path of the settings leads. The error says why that cannot be known: then
    /// it is not gone, and goes on once it can be looked at again.
    fn remains(&mut self, number: u64, is_replaced: bool) -> Result<Option<Stamp>, String> {
        let file = self.files.get_mut(&number).expect("whoever asks has it");
        if !file.is_deleted {
            if !is_replaced {
                let unseen = self.problems.iter();
                let mut unseen = unseen.filter(|(path, _)| file.path.starts_with(path));
                match unseen.next() {
                    Some((_, why)) => return Err(why.clone()),
                    None => is_in_reach(file)?,
                }
            }
            let found = whereabouts(file, &self.patterns).map_err(|why| why.to_string())?;
            if self.by_path.get(&file.path) == Some(&number) {
                self.by_path.remove(&file.path);
            }
            match found {
                Some(path) => file.path = path,
                None => file.is_deleted = true,
            }
        }
        if file.is_deleted {
            return Ok(self.handles.stamp(number));
        }
        Stamp::at(&file.path).map_err(|why| why.to_string())
    }
}
