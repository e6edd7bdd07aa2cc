//! What folds keep of themselves: their state up to a seq, in a file each, so that it need not be folded anew.
//!
//! A snapshot is believed only if it is whole, of this ledger, and not ahead of its head; any other is set aside and
//! costs time, never truth: the state is folded from an older one, or from the first event. What the state looks like
//! is the fold's own affair.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use kymo_event::{LedgerId, checksum};

use crate::{
    Ledger, ReadOnly,
    core::Core,
    disk::{self, Disk},
    folder::Folder,
};

/// Snapshots kept of one fold.
const KEPT_MAX: usize = 32;

/// The snapshots of one fold.
#[derive(Clone)]
pub struct Snapshots {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    ledger: LedgerId,
    fold: &'static str,
}

/// State up to a seq, that included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Every event up to here is in it; 0 is none.
    pub seq: u64,
    /// The fold's own form.
    pub state: Vec<u8>,
}

/// The first line of the file; the state follows.
#[derive(serde::Serialize, serde::Deserialize)]
struct Head {
    fold: String,
    ledger: LedgerId,
    seq: u64,
    bytes: usize,
    /// CRC-32C of the state.
    crc: String,
}

impl Snapshots {
    fn new(disk: Arc<dyn Disk>, folder: &Folder, ledger: LedgerId, fold: &'static str) -> Self {
        Self {
            disk,
            folder: folder.snapshots(),
            ledger,
            fold,
        }
    }

    /// The newest one that holds nothing behind `up_to`.
    pub fn newest(&self, up_to: u64) -> io::Result<Option<Snapshot>> {
        for seq in self.seqs()?.into_iter().rev().filter(|seq| *seq <= up_to) {
            match self.load(seq) {
                Ok(Some(snapshot)) => return Ok(Some(snapshot)),
                Ok(None) => {}
                Err(error) => tracing::warn!(fold = self.fold, seq, %error, "a snapshot could not be read"),
            }
        }
        Ok(None)
    }

    /// Keeps a state. Of many that are kept, those go that are close to others of about their age.
    pub fn save(&self, seq: u64, state: &[u8]) -> io::Result<()> {
        let head = Head {
            fold: self.fold.to_owned(),
            ledger: self.ledger.clone(),
            seq,
            bytes: state.len(),
            crc: format!("{:08x}", checksum(state)),
        };
        let mut content = serde_json::to_vec(&head).map_err(io::Error::other)?;
        content.push(b'\n');
        content.extend_from_slice(state);
        self.disk.create_dir(&self.folder)?;
        let saved = disk::replace(&*self.disk, &self.path(seq), &content);
        let mut seqs = self.seqs()?;
        if let Err(error) = saved {
            // Retention, which would make room, waits for this one: the older half gives way to it.
            if matches!(
                error.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            ) {
                let older = seqs.iter().take(seqs.len() / 2);
                older.copied().try_for_each(|old| self.remove(old))?;
            }
            return Err(error);
        }
        while let Some(index) = (seqs.len() > KEPT_MAX).then(|| expendable(&seqs)) {
            self.remove(seqs.remove(index))?;
        }
        Ok(())
    }

    /// Sets aside what is ahead of the head, before the ledger grows over it with other events: it was of events that
    /// a crash took back.
    pub fn forget_behind(&self, head: u64) -> io::Result<()> {
        let ahead = self.seqs()?.into_iter().filter(|seq| *seq > head);
        ahead.into_iter().try_for_each(|seq| self.set_aside(seq))
    }

    /// Removes those that hold nothing of what the ledger still has, and from which therefore nothing can be folded.
    pub fn forget_before(&self, first: u64) -> io::Result<()> {
        let old = self.seqs()?.into_iter().filter(|seq| seq + 1 < first);
        old.into_iter().try_for_each(|seq| self.remove(seq))
    }

    /// The seqs of those that are kept, in rising order.
    pub fn seqs(&self) -> io::Result<Vec<u64>> {
        let files = self.disk.list(&self.folder)?;
        let mut seqs: Vec<u64> = files.iter().filter_map(|file| self.seq_of(&file.name)).collect();
        seqs.sort_unstable();
        Ok(seqs)
    }

    fn seq_of(&self, name: &str) -> Option<u64> {
        let digits = name.strip_prefix(self.fold)?.strip_prefix('-')?;
        let digits = digits.strip_suffix(".snapshot")?;
        (digits.len() == 20).then(|| digits.parse().ok()).flatten()
    }

    fn path(&self, seq: u64) -> PathBuf {
        self.folder.join(format!("{}-{seq:020}.snapshot", self.fold))
    }

    /// `None` where it is not what it should be, and was set aside.
    fn load(&self, seq: u64) -> io::Result<Option<Snapshot>> {
        let mut content = disk::read_all(&*self.disk, &self.path(seq))?;
        let Some(start) = self.check(seq, &content) else {
            self.set_aside(seq)?;
            return Ok(None);
        };
        content.drain(..start);
        Ok(Some(Snapshot { seq, state: content }))
    }

    /// Where the state begins, if it is whole and of this ledger.
    fn check(&self, seq: u64, content: &[u8]) -> Option<usize> {
        let end = content.iter().position(|byte| *byte == b'\n')?;
        let head: Head = serde_json::from_slice(&content[..end]).ok()?;
        let state = &content[end + 1..];
        let whole = head.bytes == state.len() && head.crc == format!("{:08x}", checksum(state));
        let ours = head.fold == self.fold && head.ledger == self.ledger && head.seq == seq;
        (whole && ours).then_some(end + 1)
    }

    fn set_aside(&self, seq: u64) -> io::Result<()> {
        let (path, mut aside) = (self.path(seq), self.path(seq).into_os_string());
        aside.push(".damaged");
        tracing::warn!(file = %path.display(), "a snapshot is damaged or of another ledger and was set aside");
        match self.disk.rename(&path, Path::new(&aside)) {
            // Who only looks at a folder may not change it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            moved => moved,
        }
    }

    fn remove(&self, seq: u64) -> io::Result<()> {
        disk::remove_if_there(&*self.disk, &self.path(seq))
    }
}

/// The one whose going leaves the smallest gap for its age; never the first or the last.
fn expendable(seqs: &[u64]) -> usize {
    let last = *seqs.last().expect("there are many");
    let price = |index: &usize| {
        let gap = seqs[index + 1] - seqs[index - 1];
        let age = last - seqs[*index] + 1;
        // The gap in millionths of the age.
        u128::from(gap) * 1_000_000 / u128::from(age)
    };
    (1..seqs.len() - 1).min_by_key(price).expect("there are many")
}

impl Ledger {
    /// The snapshots of a fold, by its name.
    #[must_use]
    pub fn snapshots(&self, fold: &'static str) -> Snapshots {
        let Core { disk, folder, id, .. } = self.core();
        Snapshots::new(Arc::clone(disk), folder, id.clone(), fold)
    }
}

impl ReadOnly {
    /// As [`Ledger::snapshots`].
    #[must_use]
    pub fn snapshots(&self, fold: &'static str) -> Snapshots {
        Snapshots::new(Arc::clone(&self.disk), &self.folder, self.id(), fold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    fn snapshots(data: &Path, ledger: &str) -> Snapshots {
        Snapshots::new(
            Arc::new(RealDisk),
            &Folder::new(data),
            LedgerId::new(ledger),
            "agents",
        )
    }

    fn newest(snapshots: &Snapshots, up_to: u64) -> Option<(u64, Vec<u8>)> {
        let found = snapshots.newest(up_to).expect("the folder can be read");
        found.map(|snapshot| (snapshot.seq, snapshot.state))
    }

    #[test]
    fn the_newest_up_to_a_seq_is_given_and_none_where_there_is_none() {
        let data = tempfile::tempdir().expect("a folder");
        let kept = snapshots(data.path(), "l");
        assert_eq!(newest(&kept, u64::MAX), None);
        kept.save(5, b"five").expect("saved");
        kept.save(9, b"nine\nlines").expect("saved");
        assert_eq!(newest(&kept, u64::MAX), Some((9, b"nine\nlines".to_vec())));
        assert_eq!(newest(&kept, 8), Some((5, b"five".to_vec())));
        assert_eq!(newest(&kept, 4), None);
    }

    #[test]
    fn one_with_any_other_byte_is_set_aside_and_an_older_one_serves() {
        let data = tempfile::tempdir().expect("a folder");
        let kept = snapshots(data.path(), "l");
        kept.save(5, b"five").expect("saved");
        kept.save(9, b"nine").expect("saved");
        let path = kept.path(9);
        let whole = std::fs::read(&path).expect("it is there");
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            std::fs::write(&path, changed).expect("written");
            assert_eq!(newest(&kept, 9), Some((5, b"five".to_vec())), "byte {at}");
            assert!(!path.exists(), "it is set aside");
        }
        std::fs::write(&path, &whole[..whole.len() - 1]).expect("written");
        assert_eq!(newest(&kept, 9), Some((5, b"five".to_vec())), "a byte is missing");
    }

    #[test]
    fn one_of_another_ledger_or_ahead_of_the_head_is_not_believed() {
        let data = tempfile::tempdir().expect("a folder");
        snapshots(data.path(), "other").save(5, b"five").expect("saved");
        let kept = snapshots(data.path(), "l");
        assert_eq!(newest(&kept, 9), None);
        kept.save(5, b"five").expect("saved");
        kept.save(9, b"nine").expect("saved");
        kept.forget_behind(8).expect("set aside");
        assert_eq!(newest(&kept, 100), Some((5, b"five".to_vec())));
    }

    #[test]
    fn many_are_thinned_so_that_old_ones_lie_further_apart() {
        let data = tempfile::tempdir().expect("a folder");
        let kept = snapshots(data.path(), "l");
        for seq in 1..=300 {
            kept.save(seq, b"state").expect("saved");
        }
        let seqs = kept.seqs().expect("listed");
        assert_eq!(seqs.len(), KEPT_MAX);
        assert_eq!((seqs[0], seqs[KEPT_MAX - 1]), (1, 300));
        let widest = |part: &[u64]| part.windows(2).map(|pair| pair[1] - pair[0]).max();
        assert!(widest(&seqs[16..]) < widest(&seqs[..16]), "{seqs:?}");
        // None is further away than a good part of its age.
        for pair in seqs.windows(2).skip(1) {
            assert!(pair[1] - pair[0] <= (301 - pair[0]).div_ceil(3), "{seqs:?}");
        }
    }

    #[test]
    fn what_the_ledger_no_longer_has_needs_no_snapshot_before_it() {
        let data = tempfile::tempdir().expect("a folder");
        let kept = snapshots(data.path(), "l");
        for seq in [3, 7, 8, 20] {
            kept.save(seq, b"state").expect("saved");
        }
        // From 8 on the events are there: what follows 7 can be folded, what follows 3 cannot.
        kept.forget_before(8).expect("removed");
        assert_eq!(kept.seqs().expect("listed"), [7, 8, 20]);
    }
}
