//! Files that others append to: followed by the server as a source, or by `follow` from elsewhere.

use std::{fs::OpenOptions, io::Write, path::Path};

use crate::support::{Home, Running, numbers, signal, wait_for};

fn append(path: &Path, numbers: impl IntoIterator<Item = u64>) {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .expect("opened");
    for n in numbers {
        let line = format!("{{\"type\":\"step\",\"data\":{{\"n\":{n}}}}}\n");
        file.write_all(line.as_bytes()).expect("appended");
    }
}

#[test]
fn a_source_goes_on_where_it_was_however_often_the_server_is_killed_and_whatever_becomes_of_its_place() {
    let home = Home::new();
    home.write(
        "kymo.toml",
        "[sources.agents]\nkind = \"tail\"\npaths = [\"logs/*.jsonl\"]\n",
    );
    let logs = home.project().join("logs");
    std::fs::create_dir(&logs).expect("made");
    let path = logs.join("a.jsonl");
    append(&path, 1..=2_000);
    for turn in 1..=4_u64 {
        let server = home.serve();
        append(&path, (turn * 2_000 + 1)..=(turn * 2_000 + 1_000));
        // Killed while it reads, at another moment each time.
        server.wait_for_events("type:step", usize::try_from(turn * 500).expect("small"));
        server.kill();
        append(&path, (turn * 2_000 + 1_001)..=(turn * 2_000 + 2_000));
    }
    let server = home.serve();
    server.wait_for_events("type:step", 10_000);
    server.stop();
    std::fs::remove_dir_all(home.data().join("cursors")).expect("the place was kept");
    let server = home.serve();
    append(&path, [10_001]);
    server.wait_for_events("type:step data.n:10001", 1);
    let mut stored = numbers(&server.events("type:step"));
    stored.sort_unstable();
    assert_eq!(stored, (1..=10_001).collect::<Vec<_>>(), "each once");
    let bridge = wait_for("all to be known again", || {
        let bridge = server.get("/api/v1/bridges")["bridges"][0].clone();
        (bridge["repeats"] == 10_000).then_some(bridge)
    });
    assert_eq!(
        (&bridge["kind"], &bridge["state"]),
        (&"tail".into(), &"connected".into()),
        "{bridge}"
    );
}

#[test]
fn files_here_are_followed_into_a_server_elsewhere() {
    let there = Home::new();
    let server = there.serve();
    let here = Home::new();
    let path = here.project().join("a.jsonl");
    append(&path, 1..=3);
    let follow = || {
        let (url, token) = (&server.url, &server.token);
        Running::start(here.command(&["follow", "a.jsonl", "--url", url, "--token", token]))
    };
    let first = follow();
    assert_eq!(server.wait_for_events("type:step source:a.jsonl", 3).len(), 3);
    append(&path, 4..=5);
    server.wait_for_events("type:step", 5);
    signal(first.pid(), "INT");
    assert!(first.end().0.success());
    append(&path, [6]);
    let again = follow();
    let stored = server.wait_for_events("type:step", 6);
    assert_eq!(numbers(&stored), (1..=6).collect::<Vec<_>>());
    signal(again.pid(), "INT");
    assert!(again.end().0.success());
    assert_eq!(server.events("type:step").len(), 6, "nothing twice");
}

#[cfg(unix)]
#[test]
fn many_files_are_followed_although_the_system_gives_few_descriptors_at_first() {
    let there = Home::new();
    let server = there.serve();
    let here = Home::new();
    let logs = here.project().join("logs");
    std::fs::create_dir(&logs).expect("made");
    for n in 1..=300 {
        append(&logs.join(format!("{n}.jsonl")), [n]);
    }
    let (url, token) = (&server.url, &server.token);
    let follow = here.command(&["follow", "logs", "--url", url, "--token", token]);
    let mut limited = here.program("sh", &["-c", "ulimit -S -n 64 && exec \"$0\" \"$@\""]);
    limited.arg(follow.get_program()).args(follow.get_args());
    let running = Running::start(limited);
    server.wait_for_events("type:step", 300);
    signal(running.pid(), "INT");
    assert!(running.end().0.success());
    let mut stored = numbers(&server.events("type:step"));
    stored.sort_unstable();
    assert_eq!(stored, (1..=300).collect::<Vec<_>>(), "each once");
}

#[test]
fn a_path_that_cannot_be_understood_is_said() {
    let home = Home::new();
    let _server = home.serve();
    let ran = home.kymo(&["follow", "$KYMO_TEST_NOWHERE/a"]).code(2);
    assert!(ran.stderr.contains("KYMO_TEST_NOWHERE"), "{}", ran.stderr);
}
