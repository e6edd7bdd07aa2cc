//! A ledger on a disk that fails, somebody who uses it, and what they know of it.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use kymo_event::{Filter, Micros, Seq};
use kymo_ledger::{
    Clock, Ground, Ledger, LedgerSettings, OpenError, ReadOnly, Reader, VerifyReport,
    disk::Disk,
    testing::{FaultyDisk, Leaves},
};
use parking_lot::Mutex;

use super::{
    model::{Found, Model, each},
    support::{append, numbered},
};

pub const DATA: &str = "/home/.kymo";

/// A clock that moves when it is told to.
pub struct HandClock(AtomicI64);

impl HandClock {
    pub fn pass(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Micros {
        Micros(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// Reads whatever is new; shared with the disk, which calls on it in the middle of a commit.
type Follower = Arc<Mutex<Option<Reader>>>;

/// All there is in one run.
pub struct World {
    pub disk: FaultyDisk,
    pub clock: Arc<HandClock>,
    pub settings: LedgerSettings,
    pub ledger: Option<Ledger>,
    pub model: Arc<Mutex<Model>>,
    follower: Follower,
}

impl World {
    pub fn new(settings: LedgerSettings) -> Self {
        let disk = FaultyDisk::new();
        // The folder that somebody works in was there before.
        disk.create_dir(Path::new("/home"))
            .and_then(|()| disk.sync_dir(Path::new("/")))
            .expect("a folder is made");
        Self {
            disk,
            clock: Arc::new(HandClock(AtomicI64::new(1_700_000_000_000_000))),
            settings,
            ledger: None,
            model: Arc::default(),
            follower: Arc::default(),
        }
    }

    pub fn ground(&self) -> Ground {
        Ground {
            disk: Arc::new(self.disk.clone()),
            clock: self.clock.clone(),
        }
    }

    /// Opens the ledger; from then on somebody reads along, also in the middle of each commit.
    pub fn open(&mut self) -> Result<(), OpenError> {
        let ledger = Ledger::open_on(
            self.ground(),
            Path::new(DATA),
            self.settings.clone(),
            Box::new(|_| {}),
        )?;
        let model = self.model.clone();
        ledger.on_commit(Box::new(move |lines| {
            let mut model = model.lock();
            for index in 0..lines.len() {
                let line = std::str::from_utf8(lines.line(index)).expect("lines are text");
                model.deliver(lines.first.get() + index as u64, line);
            }
        }));
        ledger.settle();
        let head = ledger.head().map_or(0, Seq::get);
        self.model.lock().opened(head);
        *self.follower.lock() = Some(ledger.read(Seq::FIRST, &Filter::all()));
        let (follower, model) = (self.follower.clone(), self.model.clone());
        self.disk
            .set_onlooker(Some(Arc::new(move || look(&follower, &model))));
        self.ledger = Some(ledger);
        Ok(())
    }

    /// Opens it once the disk is healthy, if it cannot be opened before.
    pub fn open_somehow(&mut self) {
        if self.open().is_err() {
            self.power_returns();
            self.disk.heal();
            self.open().expect("on a healthy disk a ledger opens");
        }
    }

    /// A disk without power stays so until it is cut for good.
    fn power_returns(&mut self) {
        if self.disk.is_off() {
            self.cut_power(Leaves::Nothing);
        }
    }

    /// Offers `count` events, and remembers what was said.
    pub fn append(&mut self, count: u64) -> bool {
        let from = {
            let mut model = self.model.lock();
            let from = model.offered + 1;
            model.offered += count;
            from
        };
        let Some(ledger) = &self.ledger else { return false };
        let answer = append(ledger, numbered(from..=from + count - 1));
        ledger.settle();
        let Ok(appended) = answer else { return false };
        assert_eq!(appended.last.get() - appended.first.get() + 1, count);
        let mut model = self.model.lock();
        for (seq, n) in (appended.first.get()..).zip(from..from + count) {
            let before = model.acknowledged.insert(seq, n);
            assert_eq!(before, None, "a seq is given once");
        }
        true
    }

    /// Retires and compresses.
    pub fn maintain(&self) {
        if let Some(ledger) = &self.ledger {
            let _ = ledger.maintain();
            ledger.settle();
        }
    }

    /// The follower reads what is new.
    pub fn look(&self) {
        look(&self.follower, &self.model);
    }

    pub fn close(&mut self) {
        if let Some(ledger) = self.ledger.take() {
            ledger.close();
        }
        self.leave();
    }

    fn leave(&mut self) {
        self.disk.set_onlooker(None);
        *self.follower.lock() = None;
    }

    /// The power goes and comes back.
    pub fn cut_power(&mut self, leaves: Leaves) {
        // Nothing of what ran before may reach the disk once the power is back.
        self.disk.lose_power_after(Some(0));
        self.close();
        self.disk.cut_power(leaves);
    }

    /// Everything is held against what is known; on a disk without faults, which reading would meet.
    pub fn check(&self) {
        if let Some(ledger) = &self.ledger {
            self.model.lock().check(ledger);
        }
    }

    /// What `verify` finds.
    pub fn verified(&self) -> VerifyReport {
        match ReadOnly::open_on(&self.ground(), Path::new(DATA)) {
            Ok(outside) => {
                let report = outside.verify(None, &mut |_, _| {});
                report.expect("a healthy disk can be read")
            }
            Err(error) => panic!("a healthy disk can be read: {error:?}"),
        }
    }

    /// The files of the ledger whose names end so.
    pub fn files(&self, ending: &str) -> Vec<PathBuf> {
        let folder = Path::new(DATA).join("ledger");
        let mut files = self.disk.files();
        files.retain(|path| path.parent() == Some(&folder) && path.to_string_lossy().ends_with(ending));
        files
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.close();
    }
}

fn look(follower: &Follower, model: &Arc<Mutex<Model>>) {
    let mut follower = follower.lock();
    let (Some(reader), mut model) = (&mut *follower, model.lock()) else {
        return;
    };
    each(reader, |found| match found {
        Found::Line(seq, line) => model.deliver(seq, line),
        Found::Gap(from, to, kymo_ledger::GapReason::Damaged) => {
            (from..=to).for_each(|seq| assert!(model.may_be_lost(seq), "seq {seq} is lost"));
        }
        Found::Gap(..) => {}
    });
}
