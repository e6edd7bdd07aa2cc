//! Random work on a random disk: the same for the same seed.

use kymo_ledger::{
    LedgerSettings,
    testing::{Leaves, Operation},
};

use super::{damage, world::World};

/// One run.
pub struct Run {
    pub world: World,
    seed: u64,
    /// Some fault may be waiting.
    faulty: bool,
    /// The ledger was closed in order, all of it indexed.
    clean: bool,
    /// Something was damaged.
    damaged: bool,
    /// What was done, for who looks for the cause.
    done: Vec<String>,
}

const STEPS: u64 = 40;

impl Run {
    pub fn new(seed: u64) -> Self {
        let mut run = Self {
            world: World::new(LedgerSettings::default()),
            seed,
            faulty: false,
            clean: false,
            damaged: false,
            done: Vec::new(),
        };
        run.world.settings = run.settings();
        run
    }

    fn settings(&mut self) -> LedgerSettings {
        LedgerSettings {
            segment_bytes_max: 20_000 + self.roll(400_000),
            compress_after_s: (self.roll(3) == 0).then_some(100),
            retain_s: (self.roll(4) == 0).then_some(1000),
            ..LedgerSettings::default()
        }
    }

    pub fn roll(&mut self, bound: u64) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }

    /// Notes what is done next.
    pub fn note(&mut self, what: impl FnOnce() -> String) {
        self.done.push(what());
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.roll(bound as u64)).expect("a small number")
    }

    /// All of it; panics where something is not as it must be.
    pub fn go(mut self) {
        for _ in 0..STEPS {
            self.step();
        }
        self.heal();
        self.settled();
    }

    fn step(&mut self) {
        if self.world.ledger.is_none() {
            self.note(|| "open".to_owned());
            self.world.open_somehow();
            self.clean = false;
            let head = self.world.ledger.as_ref().and_then(kymo_ledger::Ledger::head);
            self.note(|| format!("opened at {head:?}"));
        }
        match self.roll(20) {
            0 => self.fault(),
            1 => self.space(),
            2 => {
                let seed = self.roll(1 << 30);
                self.world.disk.short_writes(Some(seed));
            }
            3 => self.heal(),
            4 => self.close(),
            5 | 6 => self.cut(),
            7 => self.lose_power(),
            8 => {
                self.note(|| "maintain".to_owned());
                self.world.maintain();
            }
            9 => self.world.clock.pass(200_000_000),
            10 => {
                let back = self.roll(3_000_000);
                self.world.clock.pass(-i64::try_from(back).expect("small"));
            }
            11 => {
                let count = 500 + self.roll(1100);
                self.append(count);
            }
            _ => {
                let count = self.roll(60) + 1;
                self.append(count);
            }
        }
        self.world.look();
        if self.roll(8) == 0 {
            self.heal();
            self.world.check();
        }
    }

    fn append(&mut self, count: u64) {
        let taken = self.world.append(count);
        let head = self.world.ledger.as_ref().and_then(kymo_ledger::Ledger::head);
        self.note(|| format!("append {count}: {taken}, head {head:?}"));
    }

    fn fault(&mut self) {
        self.faulty = true;
        let good = Some(self.roll(12));
        let kind = self.roll(5);
        self.note(|| format!("fault of kind {kind} after {good:?}"));
        match kind {
            0 => self.world.disk.fail_write(good),
            1 => self.world.disk.fail_sync(good),
            2 => self.world.disk.fail(Operation::Name, good),
            3 => self.world.disk.fail(Operation::Read, good),
            _ => self.world.disk.fail_any(good),
        }
    }

    fn space(&mut self) {
        self.faulty = true;
        let space = self.roll(60_000);
        self.note(|| format!("space for {space}"));
        self.world.disk.set_space(Some(space));
    }

    fn heal(&mut self) {
        self.note(|| "heal".to_owned());
        if self.world.disk.is_off() {
            self.cut();
        }
        self.faulty = false;
        self.world.disk.heal();
    }

    fn close(&mut self) {
        self.note(|| "close".to_owned());
        self.clean = !self.faulty && self.world.ledger.is_some();
        self.world.close();
        self.perhaps_damage();
    }

    fn leaves(&mut self) -> Leaves {
        match self.roll(5) {
            0 => Leaves::Nothing,
            1 => Leaves::Everything,
            _ => Leaves::Any(self.roll(1 << 40)),
        }
    }

    fn cut(&mut self) {
        let leaves = self.leaves();
        self.note(|| format!("cut {leaves:?}"));
        self.world.cut_power(leaves);
        (self.faulty, self.clean) = (false, false);
        self.perhaps_damage();
    }

    /// The power goes in the middle of something: perhaps while the ledger is opened, perhaps again after that.
    fn lose_power(&mut self) {
        let operations = Some(self.roll(30));
        if self.roll(2) == 0 {
            self.close();
        }
        self.faulty = true;
        self.note(|| format!("power goes after {operations:?}"));
        self.world.disk.lose_power_after(operations);
        match self.world.ledger {
            Some(_) => {
                let count = self.roll(60) + 1;
                self.world.append(count);
                self.world.maintain();
            }
            None => drop(self.world.open()),
        }
        self.cut();
    }

    fn perhaps_damage(&mut self) {
        if self.roll(6) == 0 && self.world.ledger.is_none() {
            self.heal();
            damage::happens(self, self.clean);
            self.damaged = true;
        }
    }

    /// On a healthy disk all is there, and unless something was damaged, `verify` finds nothing.
    fn settled(&mut self) {
        if self.world.ledger.is_none() {
            self.world.open().expect("on a healthy disk a ledger opens");
        }
        self.world.append(1);
        self.world.check();
        // What could not be indexed on a failing disk is indexed when the ledger is opened again.
        for _ in 0..2 {
            self.world.close();
            self.world.open().expect("on a healthy disk a ledger opens");
            self.world.check();
        }
        self.world.close();
        if !self.damaged {
            let mut damage = self.world.verified().damage;
            // What a failed write left and the disk would not let go is named as well.
            damage.retain(|one| !one.reason.contains("belong to no event"));
            assert_eq!(damage, [], "nothing was damaged");
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.done.join("\n"));
        }
    }
}
