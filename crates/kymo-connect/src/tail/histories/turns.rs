//! What a file is after it changed, told by what is read of it, and what is held open meanwhile.

use std::{fs, time::Duration};

use super::{
    super::look::{ENDS_AFTER, LEAVES_AFTER},
    world::World,
};

#[test]
fn a_batch_of_many_files_holds_no_more_open_than_it_may() {
    let mut world = World::new(true);
    for name in 0..9 {
        let path = world.folder.path().join(format!("{name}.jsonl"));
        world.append_to(&path, false, 5, None);
    }
    world.look();
    let batch = world.roster.read().expect("there is something");
    assert!(batch.files.len() > 3, "{:?}", batch.files);
    assert_eq!(world.roster.handles.len(), 2);
}

/// Two records of one length; what follows them stands where it stood.
fn record(n: u64) -> String {
    format!("{{\"type\":\"t\",\"data\":{{\"n\":{n}}}}}\n")
}

#[test]
fn what_begins_with_another_record_is_another_content_also_where_the_rest_is_the_same() {
    for in_place in [true, false] {
        let mut world = World::new(true);
        let path = world.path(0);
        fs::write(&path, record(1) + &record(5)).unwrap();
        world.read_all();
        let text = record(2) + &record(5) + &record(6);
        if in_place {
            fs::write(&path, text).unwrap();
        } else {
            let beside = world.folder.path().join("beside.tmp");
            fs::write(&beside, text).unwrap();
            fs::rename(&beside, &path).unwrap();
        }
        world.read_all();
        assert_eq!(world.ledger.numbers, [1, 5, 2, 5, 6], "in place: {in_place}");
    }
}

#[test]
fn what_is_removed_before_it_was_read_is_said_to_the_byte() {
    let (first, second) = (record(1), record(2));
    let (read, all) = (first.len() as u64, (first.len() + second.len()) as u64);
    // Cut, emptied, and removed while nobody held it open.
    for what in ["cut", "emptied", "removed"] {
        let mut world = World::new(false);
        let path = world.path(0);
        fs::write(&path, &first).unwrap();
        world.read_all();
        fs::write(&path, first.clone() + &second).unwrap();
        world.look();
        world.roster.handles.close(0);
        match what {
            "cut" => fs::write(&path, record(3).trim_end()).unwrap(),
            "emptied" => fs::write(&path, "").unwrap(),
            _ => fs::remove_file(&path).unwrap(),
        }
        world.read_all();
        world.now += ENDS_AFTER;
        world.read_all();
        let lost: Vec<_> = world
            .lost
            .iter()
            .map(|lost| (&lost.file, lost.from, lost.to))
            .collect();
        assert_eq!(lost, [(&path, read, all)], "{what}");
    }
}

#[test]
fn what_is_durable_is_not_read_again_by_who_begins_where_that_was_written_down() {
    let mut world = World::new(true);
    let path = world.path(0);
    for _ in 0..20 {
        world.append_to(&path, false, 5, None);
    }
    world.read_all();
    world.kill();
    world.append_to(&path, false, 5, None);
    world.look();
    let batch = world.roster.read().expect("something was appended");
    assert_eq!(batch.events.len(), 1);
}

#[test]
fn a_file_that_is_open_and_leads_nowhere_is_read_to_its_end_for_as_long_as_it_grows() {
    for is_removed in [false, true] {
        let mut world = World::new(true);
        let path = world.path(0);
        world.append_to(&path, false, 5, None);
        world.read_all();
        let mut writer = fs::OpenOptions::new().append(true).open(&path).unwrap();
        if is_removed {
            fs::remove_file(&path).unwrap();
        } else {
            let folder = world.folder.path().join(".away");
            fs::create_dir(&folder).unwrap();
            fs::rename(&path, folder.join("a")).unwrap();
        }
        for n in 1..4 {
            std::io::Write::write_all(&mut writer, record(n).as_bytes()).unwrap();
            world.read_all();
            world.now += LEAVES_AFTER - Duration::from_secs(1);
            world.read_all();
        }
        assert_eq!(world.ledger.numbers, [0, 1, 2, 3]);
        assert_eq!(world.roster.handles.len(), 1);
        world.now += Duration::from_secs(1);
        world.read_all();
        assert_eq!((world.roster.handles.len(), world.roster.files.len()), (0, 0));
        assert!(world.lost.is_empty(), "{:?}", world.lost);
    }
}
