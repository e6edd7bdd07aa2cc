//! Any history of files and of the program itself, played to the roster: each record becomes one event, once.

mod names;
mod reach;
mod turns;
mod world;

use std::{fs, time::Duration};

use proptest::prelude::*;

use world::{World, Written};

impl World {
    fn play(&mut self, step: &Step) {
        match *step {
            Step::Append { name, form, part } => {
                let path = self.path(name);
                self.append_to(&path, false, form, part);
            }
            Step::AppendToRotated { form } => {
                if let Some(path) = self.rotated.keys().next_back().cloned() {
                    self.append_to(&path, true, form, None);
                }
            }
            Step::Rotate { name } => {
                let path = self.path(name);
                // Cut and put aside before anybody looks it would not be known again.
                self.look();
                if self.files.contains_key(&path) && !self.is_kept(&path) {
                    // Nobody ever saw it.
                    self.before_removing(&path, 0);
                    self.files.remove(&path);
                    fs::remove_file(&path).unwrap();
                }
                if let Some(written) = self.files.remove(&path) {
                    self.rotations += 1;
                    let to = path.with_extension(format!("jsonl.{}", self.rotations));
                    fs::rename(&path, &to).unwrap();
                    self.rotated.insert(to, written);
                }
            }
            Step::Rename { name } => {
                let (from, to) = (self.path(name), self.path(name + 1));
                // Replaced and moved before anybody looks it would be a file like any other, and so the other way round.
                self.look();
                if !self.files.contains_key(&to)
                    && let Some(written) = self.files.remove(&from)
                {
                    fs::rename(&from, &to).unwrap();
                    self.files.insert(to, written);
                    self.look();
                }
            }
            Step::Rewrite {
                name,
                keep,
                add,
                in_place,
            } => self.rewrite(&self.path(name), usize::from(keep), add, in_place),
            Step::Truncate { name } => {
                let path = self.path(name);
                if self.files.contains_key(&path) {
                    self.before_removing(&path, 0);
                    fs::write(&path, "").unwrap();
                    self.files.insert(path, Written::default());
                }
            }
            Step::Delete { name } => {
                let path = self.path(name);
                if self.files.contains_key(&path) {
                    self.before_removing(&path, 0);
                    fs::remove_file(&path).unwrap();
                    self.files.remove(&path);
                }
            }
            Step::Hear { name } => {
                if self.roster.glance(&self.path(name), self.now) {
                    self.look();
                }
            }
            Step::Look { after_ms } => {
                self.now += Duration::from_millis(after_ms);
                self.look();
            }
            Step::HandOn { so_far } => _ = self.hand_on(so_far),
            Step::Kill => self.kill(),
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append {
        name: u8,
        form: u8,
        part: Option<u8>,
    },
    AppendToRotated {
        form: u8,
    },
    Rotate {
        name: u8,
    },
    Rename {
        name: u8,
    },
    Rewrite {
        name: u8,
        keep: u8,
        add: u8,
        in_place: bool,
    },
    Truncate {
        name: u8,
    },
    Delete {
        name: u8,
    },
    /// Of a change to this file was heard.
    Hear {
        name: u8,
    },
    Look {
        after_ms: u64,
    },
    /// 0: killed after reading, 1: after writing births down, 2: after handing on; 3: not taken; 4: killed after settling.
    HandOn {
        so_far: u8,
    },
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    let name = 0..3_u8;
    prop_oneof![
        8 => (name.clone(), any::<u8>(), prop::option::weighted(0.3, any::<u8>()))
            .prop_map(|(name, form, part)| Step::Append { name, form, part }),
        2 => any::<u8>().prop_map(|form| Step::AppendToRotated { form }),
        2 => name.clone().prop_map(|name| Step::Rotate { name }),
        1 => name.clone().prop_map(|name| Step::Rename { name }),
        2 => (name.clone(), 0..9_u8, 0..4_u8, any::<bool>())
            .prop_map(|(name, keep, add, in_place)| Step::Rewrite { name, keep, add, in_place }),
        1 => name.clone().prop_map(|name| Step::Truncate { name }),
        1 => name.clone().prop_map(|name| Step::Delete { name }),
        4 => name.prop_map(|name| Step::Hear { name }),
        4 => (0..2_000_u64).prop_map(|after_ms| Step::Look { after_ms }),
        8 => (0..12_u8).prop_map(|so_far| Step::HandOn { so_far }),
        1 => Just(Step::Kill),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_becomes_of_files_and_of_the_program_each_record_is_one_event(
        steps in prop::collection::vec(step(), 1..60),
        is_gentle in any::<bool>(),
    ) {
        let mut world = World::new(is_gentle);
        for step in &steps {
            world.play(step);
        }
        world.end();
    }
}
