//! What cannot be looked at is not gone: it goes on where it was once it can be.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use super::world::World;

/// A file with one record that was read, in a folder in a folder.
fn world() -> (World, PathBuf) {
    let mut world = World::new(true);
    let folder = world.folder.path().join("runs/x");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("a.jsonl");
    world.append_to(&path, false, 5, None);
    world.read_all();
    (world, path)
}

impl World {
    /// Looks several times, for longer than a file that is left by everybody is followed.
    fn look_for_long(&mut self) {
        for _ in 0..3 {
            self.now += Duration::from_secs(200);
            self.read_all();
        }
    }

    /// What was out of reach is back: it goes on, and nothing of it comes again.
    fn is_back(&mut self, path: &Path) {
        assert!(self.lost.is_empty(), "{:?}", self.lost);
        self.append_to(path, false, 5, None);
        self.read_all();
        assert_eq!(self.ledger.numbers, [0, 1]);
        assert!(self.roster.problems.is_empty(), "{:?}", self.roster.problems);
    }
}

/// Played by a program that was always there, and by one that begins only now.
fn both(play: impl Fn(World, PathBuf)) {
    for begins_now in [false, true] {
        let (mut world, path) = world();
        if begins_now {
            world.kill();
        } else {
            // Only its path leads to it.
            world.roster.handles.close(0);
        }
        play(world, path);
    }
}

#[cfg(unix)]
#[test]
fn a_file_behind_a_link_that_leads_nowhere_is_not_gone() {
    both(|mut world, path| {
        let (runs, away) = (
            world.folder.path().join("runs"),
            world.folder.path().join(".away"),
        );
        fs::rename(&runs, &away).unwrap();
        std::os::unix::fs::symlink("runs", &runs).unwrap();
        world.look_for_long();
        assert_eq!(world.roster.problems.keys().collect::<Vec<_>>(), [&path]);
        fs::remove_file(&runs).unwrap();
        fs::rename(&away, &runs).unwrap();
        world.is_back(&path);
    });
}

#[cfg(unix)]
#[test]
fn a_file_on_a_volume_that_is_not_mounted_is_not_gone() {
    both(|mut world, path| {
        // What stands there now is on another device than its folder was.
        let (x, away) = (
            path.parent().unwrap().to_owned(),
            world.folder.path().join(".away"),
        );
        fs::rename(&x, &away).unwrap();
        fs::create_dir(&x).unwrap();
        let number = world.roster.by_path[&path];
        let device = world.roster.files[&number].lies_on;
        let lie = |world: &mut World, device| {
            world.roster.files.get_mut(&number).unwrap().lies_on = device;
        };
        lie(&mut world, device.map(|device| device + 1));
        world.look_for_long();
        assert!(world.roster.problems[&path].contains("is not there"));
        lie(&mut world, device);
        fs::remove_dir(&x).unwrap();
        fs::rename(&away, &x).unwrap();
        world.is_back(&path);
    });
}

/// Those who may do everything cannot be kept from looking; so nobody looks.
#[cfg(target_os = "linux")]
mod forbidden {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const NOBODY: u32 = 65_534;

    fn by_nobody(world: &mut World, play: impl FnOnce(&mut World) + Send) {
        std::thread::scope(|scope| {
            let play = scope.spawn(|| {
                if rustix::process::getuid().is_root() {
                    let nobody = rustix::process::Uid::from_raw(NOBODY);
                    rustix::thread::set_thread_uid(nobody).unwrap();
                }
                play(world);
            });
            play.join().unwrap();
        });
    }

    fn allow(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_file_that_may_not_be_looked_at_for_a_while_is_not_gone() {
        // Neither listed nor entered; listed and not entered; entered and not listed, the folder and the one above.
        for (of, mode) in [("x", 0), ("x", 0o444), ("x", 0o311), (".", 0o311), (".", 0)] {
            both(|mut world, path| {
                allow(world.folder.path(), 0o755);
                let folder = path.parent().unwrap().parent().unwrap().join(of);
                allow(&folder, mode);
                by_nobody(&mut world, |world| {
                    world.look_for_long();
                    assert!(!world.roster.problems.is_empty(), "{of} {mode:o} is said");
                });
                allow(&folder, 0o755);
                world.is_back(&path);
            });
        }
    }

    #[test]
    fn one_written_anew_that_may_not_be_read_at_first_goes_on_where_it_was() {
        both(|mut world, path| {
            allow(world.folder.path(), 0o755);
            let beside = world.folder.path().join("beside.tmp");
            fs::copy(&path, &beside).unwrap();
            allow(&beside, 0);
            fs::rename(&beside, &path).unwrap();
            by_nobody(&mut world, |world| {
                world.look_for_long();
                assert!(!world.roster.problems.is_empty(), "it is said");
            });
            allow(&path, 0o644);
            world.is_back(&path);
        });
    }

    #[test]
    fn one_that_was_put_aside_and_may_not_be_read_at_first_is_read_to_its_end() {
        both(|mut world, path| {
            allow(world.folder.path(), 0o755);
            let aside = path.with_extension("jsonl.1");
            fs::rename(&path, &aside).unwrap();
            allow(&aside, 0);
            by_nobody(&mut world, |world| {
                world.look_for_long();
                assert!(!world.roster.problems.is_empty(), "it is said");
            });
            allow(&aside, 0o644);
            world.is_back(&aside);
        });
    }
}
