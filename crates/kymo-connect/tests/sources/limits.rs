//! When not everything can be watched, and when the folder itself goes away.

use std::fs;

use kymo_event::Level;

use crate::rig::Ground;

#[test]
fn fewer_directories_than_asked_for_is_an_error_event_and_a_visible_problem() {
    let ground = Ground::with(&["a/1.txt", "b/2.txt", "c/d/3.txt", "e/f/g/4.txt"]);
    let rig = ground.watch_with(|settings| settings.directories_max = 3);
    let limited = rig.until("watch.limited", |seen| seen.kind == "watch.limited");
    assert_eq!(limited.level, Level::Error);
    assert_eq!(
        (&limited.data["watched"], &limited.data["unwatched"]),
        (&3.into(), &5.into())
    );
    assert!(
        limited.text("message").contains("directories_max is 3"),
        "{}",
        limited.text("message")
    );
    assert_eq!(limited.data["directories"].as_array().unwrap().len(), 5);
    let status = rig.status();
    assert_eq!((status.directories, status.unwatched), (3, 5));
    assert!(
        status
            .problem
            .unwrap()
            .contains("5 of 8 directories are not watched")
    );
    // What is watched still is.
    rig.write("top.txt", "x\n");
    rig.until_told("created top.txt +1 -0");
}

#[test]
fn a_limit_met_while_running_is_said_and_so_is_its_end() {
    let rig = Ground::with(&["a/1.txt"]).watch_with(|settings| {
        settings.directories_max = 3;
        settings.heartbeat_s = 1;
    });
    assert!(rig.status().problem.is_none());
    rig.write("b/2.txt", "x\n");
    rig.write("c/3.txt", "x\n");
    rig.until("watch.limited", |seen| {
        seen.kind == "watch.limited" && seen.data["unwatched"] == 1
    });
    rig.until_told("created c/3.txt +1 -0");
    fs::remove_dir_all(rig.path("a")).unwrap();
    rig.until("watch.recovered", |seen| seen.kind == "watch.recovered");
    rig.write("c/3.txt", "x\ny\n");
    rig.until_told("modified c/3.txt +1 -0");
    assert!(rig.status().problem.is_none());
}

#[cfg(unix)]
#[test]
fn a_folder_we_may_not_read_is_said_and_the_others_are_watched() {
    use std::os::unix::fs::PermissionsExt;
    let ground = Ground::with(&["open/a.txt", "locked/b.txt"]);
    let locked = ground.path("locked");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read_dir(&locked).is_ok() {
        eprintln!("skipped: for this user no folder is locked");
        return;
    }
    let rig = ground.watch();
    let limited = rig.until("watch.limited", |seen| seen.kind == "watch.limited");
    assert!(limited.text("message").contains("permission denied"));
    rig.write("open/a.txt", "two\n");
    rig.until_told("modified open/a.txt +1 -1");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_folder_that_goes_away_and_comes_back_is_watched_again() {
    let rig = Ground::with(&["a.txt", "sub/b.txt"]).watch();
    fs::remove_dir_all(&rig.root).unwrap();
    let failed = rig.until("watch.failed", |seen| seen.kind == "watch.failed");
    assert_eq!(failed.level, Level::Error);
    assert!(rig.status().problem.unwrap().contains("is gone"));
    rig.write("sub/c.txt", "x\n");
    rig.until("watch.recovered", |seen| seen.kind == "watch.recovered");
    rig.until_told("created sub/c.txt +1 -0");
    assert!(rig.status().problem.is_none());
    rig.write("sub/c.txt", "x\ny\n");
    rig.until_told("modified sub/c.txt +1 -0");
    let mut story = rig.story();
    story.sort();
    let expected = [
        "created sub/c.txt +1 -0",
        "modified sub/c.txt +1 -0",
        "removed a.txt +0 -1",
        "removed sub/b.txt +0 -1",
    ];
    assert_eq!(story, expected);
}

#[test]
fn a_folder_that_is_moved_away_and_replaced_is_told_as_such() {
    let rig = Ground::with(&["a.txt"]).watch();
    let aside = rig.dir.path().join("aside");
    fs::rename(&rig.root, &aside).unwrap();
    rig.until_told("removed a.txt +0 -1");
    fs::write(aside.join("a.txt"), "not here\n").unwrap();
    rig.write("n.txt", "x\n");
    rig.until_told("created n.txt +1 -0");
    let mut story = rig.story();
    story.retain(|told| !told.contains("n.txt"));
    assert_eq!(story, ["removed a.txt +0 -1"]);
}

#[test]
fn heartbeats_say_that_all_is_well_and_how_much_happened() {
    let rig = Ground::with(&["a.txt"]).watch_with(|settings| settings.heartbeat_s = 1);
    rig.write("a.txt", "two\n");
    let beat = rig.until("watch.heartbeat", |seen| {
        seen.kind == "watch.heartbeat" && seen.data["events"].as_u64() >= Some(1)
    });
    assert_eq!(
        (beat.level, &beat.data["files"], &beat.data["unwatched"]),
        (Level::Debug, &1.into(), &0.into())
    );
}

#[test]
fn a_folder_that_is_not_there_cannot_be_watched() {
    let ground = Ground::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for path in [ground.path("missing"), {
        ground.write("file", "");
        ground.path("file")
    }] {
        let settings = kymo_connect::WatchSettings {
            folders: vec![path],
            ..Default::default()
        };
        let outlet = std::sync::Arc::new(crate::collector::Collector::default());
        let started = runtime.block_on(kymo_connect::Watch::start(settings, outlet, Default::default()));
        assert!(matches!(started, Err(kymo_connect::WatchError::Folder { .. })));
    }
}

#[test]
fn a_large_burst_is_shown_in_part_and_counted_in_full() {
    let rig = Ground::new().watch();
    for n in 0..3_000 {
        rig.write(&format!("d{}/{n}.txt", n % 10), "x\n");
    }
    rig.seen.until("all 3,000", |seen| {
        let shown = seen.iter().filter(|one| one.kind == "file.created").count() as u64;
        let bursts = seen.iter().filter(|one| one.kind == "file.burst");
        let left_out: u64 = bursts.map(|one| one.data["created"].as_u64().unwrap()).sum();
        (shown + left_out == 3_000 && left_out > 0).then_some(())
    });
    assert!(rig.end().iter().all(|seen| seen.kind != "watch.failed"));
}

#[test]
fn the_source_of_the_events_is_a_setting() {
    let rig = Ground::new().watch_with(|settings| settings.source = "studio".into());
    rig.write("a.txt", "x\n");
    assert_eq!(rig.until_told("created a.txt +1 -0").source, "studio");
}
