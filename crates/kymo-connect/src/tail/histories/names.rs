//! Copies, second names, and what is no file.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
    time::Duration,
};

use super::{
    super::{TailSettings, patterns::Patterns, roster::Roster},
    world::World,
};

/// Files whose names rotation may have changed are followed too.
fn follows_copies(world: &mut World) {
    let settings = TailSettings {
        paths: vec![
            world
                .folder
                .path()
                .join("*.jsonl*")
                .to_string_lossy()
                .into_owned(),
        ],
        ..world.roster.settings.clone()
    };
    let patterns = Patterns::new(&settings.paths, &[]).unwrap();
    world.roster = Roster::new("logs", settings, patterns, world.roster.document());
}

#[test]
fn of_a_file_that_is_copied_and_cut_nothing_comes_twice_whenever_it_is_looked_at() {
    for looks in 0..8_u8 {
        let mut world = World::new(true);
        follows_copies(&mut world);
        let path = world.folder.path().join("app.jsonl");
        for _ in 0..40 {
            world.append_to(&path, false, 5, None);
        }
        world.read_all();
        let content = fs::read(&path).unwrap();
        let (begun, rest) = content.split_at(1_100);
        let copy = world.folder.path().join("app.jsonl.1");
        fs::write(&copy, begun).unwrap();
        if looks & 1 != 0 {
            world.read_all();
        }
        let mut growing = OpenOptions::new().append(true).open(&copy).unwrap();
        growing.write_all(rest).unwrap();
        if looks & 2 != 0 {
            world.read_all();
        }
        fs::write(&path, "").unwrap();
        if looks & 4 != 0 {
            world.read_all();
        }
        world.append_to(&path, false, 5, None);
        world.read_all();
        assert_eq!(world.ledger.numbers, (0..=40).collect::<Vec<_>>(), "{looks:03b}");
    }
}

#[test]
fn what_is_written_by_a_second_name_is_read_without_looking_at_everything() {
    let mut world = World::new(true);
    let (path, second) = (world.path(0), world.path(1));
    world.append_to(&path, false, 5, None);
    fs::hard_link(&path, &second).unwrap();
    world.read_all();
    world.append_to(&second, false, 5, None);
    assert!(
        !world.roster.glance(&second, world.now),
        "all that is new is known"
    );
    while world.hand_on(u8::MAX) {}
    assert_eq!(world.ledger.numbers, [0, 1]);
}

#[cfg(unix)]
fn make_pipe(path: &Path) {
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mkfifoat(rustix::fs::CWD, path, mode).unwrap();
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_looked_for() {
    let mut world = World::new(true);
    make_pipe(&world.path(1));
    world.read_all();
    for name in [1, 2] {
        assert!(
            !world.roster.glance(&world.path(name), world.now),
            "a pipe, and nothing"
        );
    }
}

#[cfg(unix)]
#[test]
fn what_took_the_place_of_a_file_and_is_none_is_not_opened() {
    let mut world = World::new(true);
    let path = world.path(0);
    world.append_to(&path, false, 5, None);
    world.read_all();
    world.append_to(&path, false, 5, None);
    world.look();
    world.roster.handles.close(0);
    fs::remove_file(&path).unwrap();
    make_pipe(&path);
    let (sender, done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        assert!(!world.hand_on(u8::MAX));
        sender.send(world.roster.is_stale && world.roster.problems.is_empty())
    });
    // Who opens a pipe waits for somebody who writes.
    assert_eq!(done.recv_timeout(Duration::from_secs(30)), Ok(true));
}
