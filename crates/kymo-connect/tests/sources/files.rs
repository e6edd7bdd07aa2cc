//! Created, modified, removed, renamed.

use std::{fs, io::Write};

use kymo_event::Level;

use crate::rig::Ground;

#[test]
fn the_state_at_start_is_summed_up_and_the_newest_files_are_named() {
    let ground = Ground::with(&["src/main.rs", "src/lib.rs", "README.md"]);
    ground.write("tool", "#!/usr/bin/env python3\n");
    for n in 0..30 {
        ground.write(&format!("notes/{n}.txt"), "x\n");
    }
    let events = ground.watch().end();
    let started = &events[0];
    assert_eq!(
        (started.kind.as_str(), started.source.as_str(), started.level),
        ("watch.started", "watch", Level::Info)
    );
    assert_eq!(
        (&started.data["files"], &started.data["directories"]),
        (&34.into(), &3.into())
    );
    assert_eq!(started.data["languages"]["Rust"], 2);
    assert_eq!(started.data["languages"]["Python"], 1);
    assert!(started.data["git"].is_null());
    let found: Vec<_> = events.iter().filter(|event| event.kind == "file.found").collect();
    assert_eq!(found.len(), 20, "only some are named");
    assert!(
        found
            .iter()
            .all(|event| event.text("modified").ends_with('Z') && event.data["size"].is_u64())
    );
    assert_eq!(events.last().unwrap().kind, "watch.stopped");
}

#[test]
fn a_file_that_is_created_changed_and_removed_is_three_events_with_their_lines() {
    let rig = Ground::new().watch();
    rig.write("src/a.rs", "one\ntwo\n");
    let created = rig.until_told("created src/a.rs +2 -0");
    assert_eq!(
        (
            created.text("language"),
            &created.data["size"],
            &created.data["lines"]
        ),
        ("Rust", &8.into(), &2.into())
    );
    assert_eq!(created.text("folder"), rig.root.to_str().unwrap());
    rig.write("src/a.rs", "one\n2\nthree\n");
    rig.until_told("modified src/a.rs +2 -1");
    rig.remove("src/a.rs");
    rig.until_told("removed src/a.rs +0 -3");
    assert_eq!(
        rig.story(),
        [
            "created src/a.rs +2 -0",
            "modified src/a.rs +2 -1",
            "removed src/a.rs +0 -3"
        ]
    );
}

#[test]
fn many_writes_to_one_file_in_a_row_are_one_change() {
    let rig = Ground::with(&["a.txt"]).watch();
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(rig.path("a.txt"))
        .unwrap();
    for n in 0..50 {
        writeln!(file, "{n}").unwrap();
    }
    drop(file);
    assert_eq!(rig.story(), ["modified a.txt +50 -0"]);
}

#[test]
fn touching_reading_and_changing_rights_are_no_changes() {
    let rig = Ground::with(&["a.txt"]).watch();
    let file = fs::File::open(rig.path("a.txt")).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    fs::read(rig.path("a.txt")).unwrap();
    let mut rights = fs::metadata(rig.path("a.txt")).unwrap().permissions();
    rights.set_readonly(true);
    fs::set_permissions(rig.path("a.txt"), rights).unwrap();
    assert_eq!(rig.story(), Vec::<String>::new());
}

#[test]
fn a_file_that_comes_and_goes_at_once_never_was() {
    let rig = Ground::with(&["a.txt"]).watch();
    rig.write("b.txt", "x");
    rig.remove("b.txt");
    assert_eq!(rig.story(), Vec::<String>::new());
}

#[test]
fn a_renamed_file_has_both_names_and_a_chain_of_renames_is_one() {
    let rig = Ground::with(&["a.txt", "sub/b.txt"]).watch();
    rig.rename("a.txt", "c.txt");
    rig.until_told("renamed a.txt -> c.txt");
    rig.rename("sub/b.txt", "x.txt");
    rig.rename("x.txt", "sub/y.txt");
    rig.rename("sub/y.txt", "z.txt");
    let renamed = rig.until_told("renamed sub/b.txt -> z.txt");
    assert_eq!(
        (renamed.text("language"), &renamed.data["lines"]),
        ("Text", &1.into())
    );
    assert_eq!(
        rig.story(),
        ["renamed a.txt -> c.txt", "renamed sub/b.txt -> z.txt"]
    );
}

#[test]
fn a_file_that_is_renamed_and_changed_says_both() {
    let rig = Ground::with(&["a.txt"]).watch();
    rig.rename("a.txt", "b.txt");
    rig.write("b.txt", "one\ntwo\n");
    let renamed = rig.until_told("renamed a.txt -> b.txt");
    assert_eq!(
        (&renamed.data["added"], &renamed.data["removed"]),
        (&1.into(), &0.into())
    );
    rig.write("b.txt", "two\n");
    assert_eq!(rig.story(), ["renamed a.txt -> b.txt", "modified b.txt +0 -1"]);
}

#[test]
fn a_renamed_folder_is_one_event_and_what_is_in_it_is_followed() {
    let rig = Ground::with(&["a/one.txt", "a/deep/two.txt", "a/deep/er/three.txt"]).watch();
    rig.rename("a", "b");
    let renamed = rig.until_told("renamed a/ -> b/");
    assert_eq!(renamed.data["files"], 3);
    rig.write("b/deep/er/three.txt", "one\nmore\n");
    rig.until_told("modified b/deep/er/three.txt +1 -0");
    rig.write("b/deep/new.txt", "x\n");
    assert_eq!(
        rig.story(),
        [
            "renamed a/ -> b/",
            "modified b/deep/er/three.txt +1 -0",
            "created b/deep/new.txt +1 -0"
        ]
    );
}

#[test]
fn a_folder_moved_into_a_new_folder_is_still_one_rename_and_still_watched() {
    let rig = Ground::with(&["a/one.txt", "a/deep/two.txt"]).watch();
    rig.mkdir("new/er");
    rig.rename("a", "new/er/a");
    rig.until_told("renamed a/ -> new/er/a/");
    rig.write("new/er/a/deep/two.txt", "two\n");
    rig.until_told("modified new/er/a/deep/two.txt +1 -1");
    assert_eq!(
        rig.story(),
        ["renamed a/ -> new/er/a/", "modified new/er/a/deep/two.txt +1 -1"]
    );
}

#[test]
fn a_file_moved_into_a_new_folder_is_a_rename() {
    let rig = Ground::with(&["a.txt"]).watch();
    rig.mkdir("new");
    rig.rename("a.txt", "new/a.txt");
    rig.until_told("renamed a.txt -> new/a.txt");
    assert_eq!(rig.story(), ["renamed a.txt -> new/a.txt"]);
}

#[test]
fn what_happened_inside_a_folder_around_its_renaming_is_not_lost() {
    let rig = Ground::with(&["a/one.txt", "a/two.txt"]).watch();
    rig.write("a/one.txt", "one\nmore\n");
    rig.rename("a", "b");
    rig.write("b/two.txt", "two\n");
    rig.write("b/three.txt", "three\n");
    rig.until_told("created b/three.txt +1 -0");
    let mut story = rig.story();
    assert_eq!(story.remove(0), "renamed a/ -> b/");
    story.sort();
    assert_eq!(
        story,
        [
            "created b/three.txt +1 -0",
            "modified b/one.txt +1 -0",
            "modified b/two.txt +1 -1"
        ]
    );
}

#[test]
fn moving_out_is_removing_and_moving_in_is_creating() {
    let rig = Ground::with(&["a.txt", "dir/b.txt"]).watch();
    let outside = rig.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("c.txt"), "c\n").unwrap();
    fs::create_dir(outside.join("in")).unwrap();
    fs::write(outside.join("in/d.txt"), "d\n").unwrap();
    fs::rename(rig.path("a.txt"), outside.join("a.txt")).unwrap();
    rig.until_told("removed a.txt +0 -1");
    fs::rename(rig.path("dir"), outside.join("dir")).unwrap();
    rig.until_told("removed dir/b.txt +0 -1");
    fs::rename(outside.join("c.txt"), rig.path("c.txt")).unwrap();
    rig.until_told("created c.txt +1 -0");
    fs::rename(outside.join("in"), rig.path("in")).unwrap();
    rig.until_told("created in/d.txt +1 -0");
    fs::write(outside.join("dir/b.txt"), "not ours any more").unwrap();
    rig.write("in/d.txt", "d\nd\n");
    let story = rig.story();
    assert_eq!(story.last().unwrap(), "modified in/d.txt +1 -0");
    assert_eq!(story.len(), 5, "{story:?}");
}

#[test]
fn two_files_that_swap_their_names_are_two_changes() {
    let rig = Ground::new();
    rig.write("a.txt", "a\n");
    rig.write("b.txt", "b\nb\n");
    let rig = rig.watch();
    rig.rename("a.txt", "swap");
    rig.rename("b.txt", "a.txt");
    rig.rename("swap", "b.txt");
    let mut story = rig.story();
    story.sort();
    assert_eq!(story, ["modified a.txt +2 -1", "modified b.txt +1 -2"]);
}

#[test]
fn renaming_over_a_file_says_what_was_replaced() {
    let rig = Ground::with(&["a.txt", "b.txt"]).watch();
    rig.rename("a.txt", "b.txt");
    let renamed = rig.until_told("renamed a.txt -> b.txt");
    assert_eq!(renamed.data["replaced"], true);
    assert_eq!(rig.story(), ["renamed a.txt -> b.txt"]);
}

#[test]
fn folders_made_one_in_another_in_a_burst_are_all_watched() {
    let rig = Ground::new().watch();
    for n in 0..20 {
        rig.write(&format!("a{n}/b/c/d/e{n}.txt"), "x\n");
    }
    for n in 0..20 {
        rig.until_told(&format!("created a{n}/b/c/d/e{n}.txt +1 -0"));
    }
    for n in 0..20 {
        rig.write(&format!("a{n}/b/c/d/e{n}.txt"), "x\ny\n");
        rig.write(&format!("a{n}/b/c/f.txt"), "f\n");
    }
    for n in 0..20 {
        rig.until_told(&format!("modified a{n}/b/c/d/e{n}.txt +1 -0"));
        rig.until_told(&format!("created a{n}/b/c/f.txt +1 -0"));
    }
    assert_eq!(rig.story().len(), 60, "each once");
}

#[test]
fn a_folder_that_is_removed_and_made_again_is_watched_again() {
    let rig = Ground::with(&["d/a.txt", "d/sub/b.txt"]).watch();
    for round in 2..7_u64 {
        fs::remove_dir_all(rig.path("d")).unwrap();
        rig.write("d/sub/b.txt", "x\n");
        rig.write("d/n.txt", format!("{round}\n"));
        rig.settle(&format!("zz-{round}"));
        rig.write("d/sub/b.txt", "x\n".repeat(usize::try_from(round).unwrap()));
        rig.until("a change in the new folder", |seen| {
            seen.text("path") == "d/sub/b.txt" && seen.data["lines"] == round
        });
    }
    let story = rig.story();
    let removed = story
        .iter()
        .filter(|told| told.starts_with("removed d/a.txt"))
        .count();
    assert_eq!(removed, 1, "{story:#?}");
}

#[test]
fn binary_files_are_marked_and_have_no_lines() {
    let rig = Ground::new().watch();
    rig.write("logo.png", b"\x89PNG\0\0\0");
    let created = rig.until("a picture", |seen| seen.text("path") == "logo.png");
    assert_eq!(created.data["binary"], true);
    assert!(created.data.get("lines").is_none() && created.data.get("added").is_none());
}

#[test]
fn a_file_above_the_size_looked_into_is_reported_by_size_alone() {
    let rig = Ground::with(&["big.rs"]).watch_with(|settings| settings.content_bytes_max = 10);
    rig.write("big.rs", "x\n".repeat(20));
    let event = rig.until_told("modified big.rs");
    assert_eq!(
        (event.text("language"), &event.data["size"]),
        ("Rust", &40.into())
    );
    rig.write("big.rs", "y\n".repeat(20));
    assert_eq!(rig.story(), ["modified big.rs", "modified big.rs"]);
}

#[cfg(unix)]
#[test]
fn links_are_reported_and_not_followed() {
    use std::os::unix::fs::symlink;
    let ground = Ground::with(&["sub/a.txt"]);
    symlink(&ground.root, ground.path("sub/loop")).unwrap();
    symlink("nowhere", ground.path("dangling")).unwrap();
    let rig = ground.watch();
    symlink("..", rig.path("sub/up")).unwrap();
    let created = rig.until_told("created sub/up");
    assert_eq!(created.data["symlink"], true);
    rig.write("sub/a.txt", "two\n");
    fs::remove_file(rig.path("sub/loop")).unwrap();
    let mut story = rig.story();
    story.sort();
    assert_eq!(
        story,
        ["created sub/up", "modified sub/a.txt +1 -1", "removed sub/loop"]
    );
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_utf8_are_given_with_a_mark() {
    use std::os::unix::ffi::OsStrExt;
    let rig = Ground::new().watch();
    fs::write(rig.root.join(std::ffi::OsStr::from_bytes(b"bad\xff.txt")), "x\n").unwrap();
    let created = rig.until_told("created bad\u{fffd}.txt +1 -0");
    assert_eq!(created.data["lossy"], true);
}

#[cfg(unix)]
#[test]
fn pipes_are_not_opened() {
    let rig = Ground::new().watch();
    let made = std::process::Command::new("mkfifo")
        .arg(rig.path("pipe"))
        .status()
        .unwrap();
    assert!(made.success());
    rig.write("after.txt", "x\n");
    assert_eq!(rig.story(), ["created after.txt +1 -0"]);
}

#[test]
fn two_folders_one_in_the_other_report_each_change_once() {
    let ground = Ground::with(&["in/a.txt", "b.txt"]);
    let inner = ground.path("in");
    let rig = ground.watch_with(|settings| settings.folders.push(inner.clone()));
    rig.write("in/a.txt", "two\n");
    rig.write("b.txt", "two\n");
    let change = rig.until_told("modified a.txt +1 -1");
    assert_eq!(change.text("folder"), inner.to_str().unwrap());
    rig.until_told("modified b.txt +1 -1");
    assert_eq!(rig.story().len(), 2);
}
