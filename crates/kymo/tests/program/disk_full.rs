//! A disk that is really full, and then has room again.

use std::{fs, io::Write, path::PathBuf, process::Command};

use serde_json::json;

use crate::support::{Home, Server, wait_for};

/// A server whose ledger lies on a small disk of its own; `None`, and a word why, where none can be mounted.
fn on_a_small_disk(home: &Home) -> Option<(Server, PathBuf)> {
    let mount = "mount -t tmpfs -o size=4m small \"$0\"";
    let ledger = home.data().join("ledger");
    fs::create_dir_all(&ledger).expect("created");
    let folder = ledger.to_str().expect("UTF-8");
    let tried = home
        .program(
            "unshare",
            &["--user", "--map-root-user", "--mount", "sh", "-c", mount, folder],
        )
        .output();
    let can_mount = tried.as_ref().is_ok_and(|output| output.status.success());
    if !can_mount {
        println!("skipped: no disk of one's own can be mounted here: {tried:?}");
        return None;
    }
    let serve = home.serve_command();
    let mut command: Command = home.program(
        "unshare",
        &[
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            &format!("{mount} && exec \"$@\""),
            folder,
        ],
    );
    command.arg(serve.get_program()).args(serve.get_args());
    command.args(["--set", "spool.take_up_s=1"]);
    let server = Server::start(command, &home.data());
    // From outside the disk is seen through the process that mounted it.
    let inside = PathBuf::from(format!("/proc/{}/root{folder}", server.pid()));
    Some((server, inside))
}

/// Takes all room there is.
fn fill(path: &PathBuf) {
    let mut file = fs::File::create(path).expect("created");
    while file.write_all(&[b'x'; 4096]).is_ok() {}
    while file.write_all(b"x").is_ok() {}
}

#[test]
fn a_full_disk_is_told_reading_goes_on_emitters_keep_theirs_and_all_arrives_once_there_is_room() {
    let home = Home::new();
    let Some((server, inside)) = on_a_small_disk(&home) else {
        return;
    };
    let (url, token) = (server.url.clone(), server.token.clone());
    let emit = |n: u64| {
        let data = json!({ "n": n }).to_string();
        let mut args = vec!["emit", "kept", "--json", "--data", &data, "--url", &url];
        args.extend(["--token", &token]);
        home.kymo(&args).good().json()
    };
    assert_eq!(emit(0)["accepted"], 1);
    assert_eq!(server.post("{\"type\":\"before\"}").0, 200);
    for round in 0..3 {
        let filler = inside.join("filler");
        fill(&filler);
        // The last page of the segment may have room for a little; then it is full.
        let (status, answer) = wait_for("the disk to be full", || {
            let refused = server.post(format!("{{\"type\":\"more\",\"data\":\"{}\"}}", "x".repeat(5000)));
            (refused.0 != 200).then_some(refused)
        });
        assert_eq!(
            (status, &answer["error"]["code"]),
            (507, &json!("disk_full")),
            "{answer}"
        );
        assert!(answer["error"]["retry_after_s"].is_u64(), "{answer}");
        let kept = emit(round + 1);
        assert_eq!(
            (&kept["accepted"], &kept["spooled"]),
            (&json!(0), &json!(1)),
            "{kept}"
        );
        assert_eq!(server.events("type:before").len(), 1, "reading goes on");
        fs::remove_file(&filler).expect("removed");
        wait_for("accepting again", || {
            (server.post("{\"type\":\"after\"}").0 == 200).then_some(())
        });
        let events = server.wait_for_events("type:kept", usize::try_from(round).expect("small") + 2);
        let numbers = crate::support::numbers(&events);
        assert_eq!(numbers, (0..=round + 1).collect::<Vec<_>>(), "in order, once");
    }
    assert!(!server.events("type:kymo.ledger.write_failed").is_empty());
    assert!(!server.events("type:kymo.ledger.write_resumed").is_empty());
    server.stop();
}
