//! Something happens to a file while nobody has it open; `verify` names it, and nothing else is lost.

use std::{collections::BTreeSet, ops::Range, path::Path};

use kymo_event::LineView;
use kymo_ledger::{Damage, VerifyReport};
use memchr::{memchr, memmem};

use super::{run::Run, world::World};

/// Changes a random file of a closed ledger, and says in the model what that may cost. `clean`: the ledger was closed
/// in order, so that its index knows the end.
pub fn happens(run: &mut Run, clean: bool) {
    let lines = run.roll(2) == 0;
    let files = run.world.files(if lines { ".jsonl" } else { ".idx" });
    if files.is_empty() {
        return;
    }
    let place = run.below(files.len());
    let (file, last) = (&files[place], place + 1 == files.len());
    let before = run.world.disk.read(file).expect("the file is there");
    if before.is_empty() {
        return;
    }
    let was = Known::of(&run.world.verified());
    let hit = strike(run, file, &before);
    let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
    run.note(|| format!("damage {name} of {} bytes: {hit:?}", before.len()));
    if lines {
        let next = files.get(place + 1).map_or(was.head + 1, |next| first_of(next));
        let mut lost = lines_in(&before, &hit);
        // What a failed write left behind the end is no event.
        lost.retain(|seq| *seq < next);
        run.world.model.lock().lost.extend(&lost);
        let doubt = last && !clean && in_doubt(&run.world, file);
        if !doubt {
            assert_named(&run.world, &was, name, &lost, &hit);
        }
    } else if last {
        in_doubt(&run.world, &file.with_extension("jsonl"));
    } else if clean && was.names.iter().all(|(file, _)| file != name) {
        let new = was.new_in(&run.world.verified());
        assert!(!new.is_empty(), "{name} {hit:?}");
        assert!(
            new.iter().all(|damage| damage.file == name),
            "{name} {hit:?}: {new:?}"
        );
    }
}

/// What the last segment has lost cannot be told from a write that was never finished where its index does not say
/// so, and lines of less than two groups stand behind. Whether there is such a place.
fn in_doubt(world: &World, lines: &Path) -> bool {
    let first = first_of(lines);
    let bytes = world.disk.read(lines).unwrap_or_default();
    let good = bytes.split(|byte| *byte == b'\n').filter_map(|line| {
        let good = kymo_event::check_crc(line)
            .then(|| LineView::parse(line).ok())
            .flatten();
        good.map(|line| (line.seq().get(), line.recorded()))
    });
    let good: Vec<_> = good.collect();
    let groups_behind = |seq: u64| {
        let behind = good.iter().filter(|(other, _)| *other > seq);
        behind.map(|(_, time)| *time).collect::<BTreeSet<_>>().len()
    };
    let mut model = world.model.lock();
    let doubtful = model
        .lost
        .range(first..)
        .copied()
        .find(|seq| groups_behind(*seq) < 2);
    model.doubtful_from = model.doubtful_from.into_iter().chain(doubtful).min();
    doubtful.is_some()
}

/// Turns a bit, zeroes a sector or a page, writes nonsense, or cuts. Returns which bytes differ (or are gone).
fn strike(run: &mut Run, file: &Path, before: &[u8]) -> Range<usize> {
    let mut after = before.to_vec();
    let at = run.below(before.len());
    match run.roll(5) {
        0 => after[at] ^= 1 << run.roll(8),
        1 | 2 => {
            let unit = if run.roll(2) == 0 { 512 } else { 4096 };
            let from = at / unit * unit;
            let to = before.len().min(from + unit);
            after[from..to].fill(0);
        }
        3 => {
            let to = before.len().min(at + run.below(300));
            (at..to).for_each(|place| after[place] = (run.roll(256)) as u8);
        }
        _ => after.truncate(at),
    }
    let same = before
        .iter()
        .zip(&after)
        .take_while(|(one, other)| one == other)
        .count();
    let behind = before
        .iter()
        .zip(&after)
        .rev()
        .take_while(|(one, other)| one == other)
        .count();
    let to = match after.len() == before.len() {
        true => before.len() - behind,
        false => before.len(),
    };
    run.world.disk.spoil(file, after);
    same..to.max(same)
}

/// The seqs of the lines that some bytes are part of.
fn lines_in(bytes: &[u8], hit: &Range<usize>) -> BTreeSet<u64> {
    let starts: Vec<usize> = memmem::find_iter(bytes, b"{\"seq\":").collect();
    let line_at = |(number, &start): (usize, &usize)| {
        let next = starts.get(number + 1).copied().unwrap_or(bytes.len());
        let feed = memchr(b'\n', &bytes[start..next]).map_or(next, |feed| start + feed + 1);
        (start < hit.end && hit.start < feed)
            .then(|| seq_of(&bytes[start..]))
            .flatten()
    };
    starts.iter().enumerate().filter_map(line_at).collect()
}

fn seq_of(line: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(line.get(7..27.min(line.len()))?).ok()?;
    digits.split(',').next()?.parse().ok()
}

fn first_of(file: &Path) -> u64 {
    let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
    name[..20].parse().expect("a number")
}

/// What `verify` has named.
struct Known {
    names: BTreeSet<(String, u64)>,
    lost: BTreeSet<u64>,
    head: u64,
}

impl Known {
    fn of(report: &VerifyReport) -> Self {
        let losses = report.damage.iter().filter(|damage| costs_events(damage));
        Self {
            names: report.damage.iter().map(name_of).collect(),
            lost: losses
                .flat_map(|damage| damage.first.get()..=damage.last.get())
                .collect(),
            head: report.head.map_or(0, kymo_event::Seq::get),
        }
    }

    fn new_in(&self, report: &VerifyReport) -> Vec<Damage> {
        let mut new = report.damage.clone();
        new.retain(|damage| !self.names.contains(&name_of(damage)));
        new
    }
}

fn name_of(damage: &Damage) -> (String, u64) {
    (damage.file.clone(), damage.first.get())
}

fn costs_events(damage: &Damage) -> bool {
    !damage.reason.contains("nothing is lost") && !damage.reason.contains("no event is lost")
}

/// `verify` names the file, the bytes and exactly the seqs that are lost.
fn assert_named(world: &World, was: &Known, name: &str, lost: &BTreeSet<u64>, hit: &Range<usize>) {
    let report = world.verified();
    let new = was.new_in(&report);
    // An index that was named already may be held against other lines now; so may the end of one that was never
    // finished, which passed for a cut one before.
    let explained = |damage: &Damage| {
        let is_unfinished = damage.reason.contains("was not finished");
        damage.file == name || is_unfinished || was.names.iter().any(|(file, _)| *file == damage.file)
    };
    assert!(new.iter().all(explained), "{name} {hit:?}: {new:?}");
    let named = Known::of(&report).lost;
    let known = world.model.lock();
    let silent = lost.difference(&named).next();
    assert_eq!(silent, None, "lost from {:?}, named {new:?}", lost.first());
    let mut other = named
        .difference(&was.lost)
        .filter(|seq| !known.may_be_lost(**seq));
    assert_eq!(other.next(), None, "lost from {:?}, named {new:?}", lost.first());
}
