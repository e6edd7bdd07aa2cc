//! `emit`: one event or many, with a server or without.

use std::{process::Stdio, time::Duration};

use serde_json::json;

use crate::support::{Home, Ran, Running, numbers, wait_for};

#[test]
fn an_event_from_arguments_is_stored_as_it_was_said() {
    let home = Home::new();
    let server = home.serve();
    let ran = home
        .kymo(&[
            "emit",
            "task.started",
            "task=demo",
            "step=1",
            "name=a b",
            "list=[1,\"x\"]",
            "--agent",
            "planner",
            "--level",
            "warning",
            "--session",
            "s1",
            "--id",
            "mine",
            "--source",
            "test",
        ])
        .good();
    let stored = server.events("type:task.started");
    assert_eq!(stored.len(), 1);
    let event = &stored[0];
    assert!(
        ran.stdout.contains(&format!("seq {}", event["seq"])),
        "{}",
        ran.stdout
    );
    assert_eq!(
        event["data"],
        json!({ "task": "demo", "step": 1, "name": "a b", "list": [1, "x"] })
    );
    assert_eq!(
        (&event["agent"], &event["level"]),
        (&json!("planner"), &json!("warn"))
    );
    assert_eq!(
        (&event["session"], &event["id"], &event["source"]),
        (&json!("s1"), &json!("mine"), &json!("test"))
    );
}

#[test]
fn a_payload_can_be_given_whole_and_fields_are_added_to_it() {
    let home = Home::new();
    let server = home.serve();
    home.kymo(&[
        "emit",
        "a",
        "--data",
        "{\"x\": 1.50, \"big\": 123456789012345678901234567890}",
        "y=2",
    ])
    .good();
    home.kymo(&["emit", "b", "--data", "[1,2]"]).good();
    assert_eq!(server.events("type:b")[0]["data"], json!([1, 2]));
    let line = home.kymo(&["query", "type:a", "--ndjson"]).good().stdout;
    assert!(
        line.contains("123456789012345678901234567890") && line.contains("1.50"),
        "{line}"
    );
    assert_eq!(server.events("type:a")[0]["data"]["y"], 2);
}

#[test]
fn the_receipt_is_json_for_scripts_and_the_same_id_again_is_known_already() {
    let home = Home::new();
    let _server = home.serve();
    let args = [
        "emit",
        "a",
        "x=1",
        "--id",
        "one",
        "--time",
        "2026-01-01T00:00:00Z",
        "--json",
    ];
    let first = home.kymo(&args).good().json();
    assert_eq!(first["accepted"], 1);
    assert_eq!(first["durability"], "fsync");
    let again = home.kymo(&args).good().json();
    assert_eq!(again["accepted"], 0);
    assert_eq!(again["duplicates"][0]["seq"], first["first"]);
}

#[test]
fn an_id_of_the_emitters_makes_a_repeat_harmless_without_a_time_too() {
    let home = Home::new();
    let server = home.serve();
    let first = home
        .kymo(&["emit", "a", "x=1", "--id", "one", "--json"])
        .good()
        .json();
    let again = home
        .kymo(&["emit", "a", "x=1", "--id", "one", "--json"])
        .good()
        .json();
    assert_eq!(again["duplicates"][0]["seq"], first["first"]);
    let line = b"{\"type\":\"a\",\"id\":\"two\"}\n";
    for _ in 0..2 {
        home.kymo_with_input(&["emit", "-"], line).good();
    }
    assert_eq!(server.events("type:a").len(), 2);
}

#[test]
fn json_lines_from_standard_input_are_stored_and_refused_line_by_line() {
    let home = Home::new();
    let server = home.serve();
    let input = b"\xef\xbb\xbf{\"type\":\"in\",\"data\":{\"n\":1}}\r\n\n{broken\n{\"type\":\"in\",\"data\":{\"n\":2}}\n[]\n{\"source\":\"x\"}\n{\"type\":\"in\",\"data\":{\"n\":3}}";
    let ran = home
        .kymo_with_input(&["emit", "-", "--session", "s9"], input)
        .code(4);
    let events = server.events("type:in");
    assert_eq!(numbers(&events), [1, 2, 3]);
    assert!(events.iter().all(|event| event["session"] == "s9"));
    assert!(
        ran.stderr.contains("line 3") && ran.stderr.contains("[invalid_json]"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("line 5") && ran.stderr.contains("[not_an_event]"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("line 6") && ran.stderr.contains("[type_missing]"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_pipe_is_sent_on_while_it_is_still_open() {
    use std::io::Write;
    let home = Home::new();
    let server = home.serve();
    let mut command = home.command(&["emit", "-"]);
    command.stdin(Stdio::piped());
    let mut emitting = Running::start(command);
    let mut stdin = emitting.stdin();
    stdin.write_all(b"{\"type\":\"early\"}\n").expect("written");
    server.wait_for_events("type:early", 1);
    drop(stdin);
    assert!(emitting.end().0.success());
}

#[test]
fn a_stream_stays_in_order_over_a_stop_and_a_restart_and_goes_directly_again() {
    use std::io::Write;
    /// More than are said between two times that a server takes the spool up.
    const ONE_AFTER_THE_OTHER: usize = 250;
    /// Everything here is counted in events, which are said only while this machine runs.
    const SAID_MAX: usize = 6_000;
    let home = Home::new();
    let server = home.serve();
    let mut command = home.command(&["emit", "-", "--json"]);
    command.stdin(Stdio::piped());
    let mut emitting = Running::start(command);
    let mut stdin = emitting.stdin();
    let mut said = 0;
    // A steady flow, faster than any spool could be found empty between two of its events.
    let mut say = || {
        said += 1;
        writeln!(stdin, "{{\"type\":\"steady\",\"data\":{{\"n\":{said}}}}}").expect("written");
        std::thread::sleep(Duration::from_millis(20));
        said
    };
    for _ in 0..10 {
        say();
    }
    server.wait_for_events("type:steady", 10);
    server.stop();
    let spool = home.data().join("spool");
    let is_waiting = || spool.read_dir().is_ok_and(|mut files| files.next().is_some());
    while !is_waiting() {
        assert!(say() < SAID_MAX, "nothing is kept while there is no server");
    }
    let server = home.serve();
    let mut directly = 0;
    while directly < ONE_AFTER_THE_OTHER {
        directly = if is_waiting() { 0 } else { directly + 1 };
        assert!(say() < SAID_MAX, "all goes through the spool for ever");
    }
    drop(stdin);
    let (status, receipt, _) = emitting.end();
    assert!(status.success());
    let seen = server.wait_for_events("type:steady", said);
    assert_eq!(numbers(&seen), (1..=said as u64).collect::<Vec<_>>());
    let receipt: serde_json::Value = serde_json::from_str(&receipt.concat()).expect("a receipt");
    assert_eq!(
        receipt["last"],
        seen[said - 1]["seq"],
        "the last one went directly"
    );
    assert!(
        receipt["spooled"].as_u64().is_some_and(|kept| kept > 0),
        "{receipt}"
    );
}

#[test]
fn a_token_revoked_in_mid_stream_costs_no_event() {
    use std::io::Write;
    let home = Home::new();
    let server = home.serve();
    let made = home
        .kymo(&["token", "create", "--name", "pipe", "--scope", "emit"])
        .good();
    let token = made.stdout.trim().to_owned();
    let mut command = home.command(&["emit", "-", "--token", &token]);
    command.stdin(Stdio::piped());
    let mut emitting = Running::start(command);
    let mut stdin = emitting.stdin();
    stdin
        .write_all(b"{\"type\":\"piped\",\"data\":{\"n\":1}}\n")
        .expect("written");
    server.wait_for_events("type:piped", 1);
    home.kymo(&["token", "revoke", "pipe"]).good();
    stdin
        .write_all(b"{\"type\":\"piped\",\"data\":{\"n\":2}}\n")
        .expect("written");
    emitting.error_with("[unauthorized]; events wait on disk");
    drop(stdin);
    assert!(emitting.end().0.success());
    assert_eq!(numbers(&server.wait_for_events("type:piped", 2)), [1, 2]);
}

#[test]
fn without_a_server_events_are_kept_and_a_server_takes_them_up_exactly_once() {
    let home = Home::new();
    let first = home.serve();
    first.stop();
    for n in 1..=3 {
        let ran = home.kymo(&["emit", "kept", &format!("n={n}")]).good();
        assert!(ran.stdout.contains("kept 1 in ./.kymo/spool"), "{}", ran.stdout);
    }
    let lines: String = (4..=50)
        .map(|n| format!("{{\"type\":\"kept\",\"data\":{{\"n\":{n}}}}}\n"))
        .collect();
    let ran = home
        .kymo_with_input(&["emit", "-", "--json"], lines.as_bytes())
        .good();
    let receipt = ran.json();
    assert_eq!(
        (&receipt["spooled"], &receipt["accepted"], &receipt["durability"]),
        (&json!(47), &json!(0), &json!("spooled"))
    );

    let server = home.serve();
    let mut got = numbers(&server.wait_for_events("type:kept", 50));
    got.sort_unstable();
    assert_eq!(got, (1..=50).collect::<Vec<_>>());
    wait_for("an empty spool", || {
        home.data()
            .join("spool")
            .read_dir()
            .map_or(Some(()), |mut dir| dir.next().is_none().then_some(()))
    });
    server.stop();
    let server = home.serve();
    assert_eq!(server.events("type:kept").len(), 50);
}

#[test]
fn a_server_json_left_by_a_dead_server_is_not_believed() {
    let home = Home::new();
    home.serve().kill();
    assert!(home.data().join("server.json").exists());
    // Somebody else listens at the address by now; it must not be sent the token.
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let file = json!({ "url": format!("http://{}", other.local_addr().expect("bound")), "pid": 1, "version": "0", "started": "x" });
    std::fs::write(home.data().join("server.json"), file.to_string()).expect("written");
    let ran = home.kymo(&["emit", "hello"]).good();
    assert!(ran.stdout.contains("kept 1"), "{}", ran.stdout);
    other.set_nonblocking(true).expect("settable");
    assert!(other.accept().is_err(), "the client connected to a stranger");
}

#[test]
fn a_server_that_does_not_answer_costs_a_bounded_time_and_no_event() {
    let home = Home::new();
    let server = home.serve();
    server.signal("STOP");
    let began = std::time::Instant::now();
    let ran = home.kymo(&["emit", "late", "n=1"]).good();
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(ran.stdout.contains("kept 1"), "{}", ran.stdout);
    server.signal("CONT");
    assert_eq!(numbers(&server.wait_for_events("type:late", 1)), [1]);
}

#[test]
fn events_for_a_server_elsewhere_wait_apart_and_follow_the_next_one() {
    let home = Home::new();
    let elsewhere = Home::new();
    let server = elsewhere.serve();
    let (url, token) = (server.url.clone(), server.token.clone());
    server.stop();
    let ran = home
        .kymo(&["emit", "away", "n=1", "--url", &url, "--token", &token])
        .good();
    assert!(ran.stdout.contains("kept 1"), "{}", ran.stdout);
    home.kymo(&["emit", "kymo.mine", "--url", &url, "--token", &token])
        .good();
    assert!(
        !home.data().exists(),
        "another hub's events must not lie in this one's spool"
    );

    let listen = url.trim_start_matches("http://").to_owned();
    let data = elsewhere.data();
    let command = elsewhere.command(&[
        "serve",
        "--listen",
        &listen,
        "--data",
        data.to_str().expect("UTF-8"),
    ]);
    let server = crate::support::Server::start(command, &data);
    let ran = home
        .kymo(&["emit", "away", "n=2", "--url", &url, "--token", &token])
        .good();
    assert!(ran.stderr.contains("reserved_type"), "{}", ran.stderr);
    let mut got = numbers(&server.wait_for_events("type:away", 2));
    got.sort_unstable();
    assert_eq!(got, [1, 2]);
    let quarantine = home
        .project()
        .parent()
        .expect("there")
        .join("home/.local/share/kymo/elsewhere/quarantine");
    let kept: String = std::fs::read_dir(quarantine)
        .expect("a refused line is kept")
        .map(|file| std::fs::read_to_string(file.expect("listed").path()).expect("read"))
        .collect();
    assert!(kept.contains("kymo.mine") && !kept.contains("away"), "{kept}");
}

#[test]
fn what_is_refused_is_said_with_its_code() {
    let home = Home::new();
    let _server = home.serve();
    let ran = home.kymo(&["emit", "kymo.mine"]).code(4);
    assert!(ran.stderr.contains("[reserved_type]"), "{}", ran.stderr);
    let ran = home.kymo(&["emit", &"x".repeat(201)]).code(4);
    assert!(ran.stderr.contains("[name_too_long]"), "{}", ran.stderr);
}

#[test]
fn a_wrong_token_is_said_and_nothing_is_spooled() {
    let home = Home::new();
    let server = home.serve();
    let ran = home
        .kymo(&["emit", "a", "--url", &server.url, "--token", "wrong"])
        .code(7);
    assert!(
        ran.stderr.contains("[unauthorized]") && ran.stderr.contains("KYMO_TOKEN"),
        "{}",
        ran.stderr
    );
    let ran = home.kymo(&["emit", "a", "--url", &server.url]).good();
    assert!(
        ran.stdout.contains("stored"),
        "the folder's own token is found by the server's address"
    );
}

#[test]
fn mistakes_on_the_command_line_say_what_to_write() {
    let home = Home::new();
    for (args, say) in [
        (&["emit", "a", "nothing"][..], "KEY=VALUE"),
        (&["emit", "a", "--data", "{x}"], "invalid_json"),
        (&["emit", "a", "--data", "."], "--folder"),
        (&["emit", "a", "--level", "loud"], "critical"),
        (&["emit", "a", "--time", "yesterday"], "RFC 3339"),
        (&["emit", "a", "--url", "localhost:1"], "http://"),
    ] {
        let ran = home.kymo(args).code(2);
        assert!(ran.stderr.contains(say), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn a_spool_that_cannot_be_written_is_an_error_that_says_so() {
    let home = Home::new();
    home.write("blocked", "a file, not a folder");
    let ran = home.kymo(&["emit", "a", "--folder", "blocked"]).code(1);
    assert!(ran.stderr.contains("blocked"), "{}", ran.stderr);
}

#[test]
fn the_environment_says_what_an_event_is_about() {
    let home = Home::new();
    let server = home.serve();
    let mut command = home.command(&["emit", "inside"]);
    command
        .env("KYMO_SESSION", "s7")
        .env("KYMO_AGENT", "coder")
        .env("KYMO_SPAN", "above");
    Ran::of(command).good();
    let event = &server.events("type:inside")[0];
    assert_eq!(
        (&event["session"], &event["agent"], &event["parent"]),
        (&json!("s7"), &json!("coder"), &json!("above"))
    );
}

#[test]
fn what_comes_too_fast_for_the_server_is_kept() {
    let home = Home::new();
    let server = home.serve_with(&["--set", "hub.rate_per_source=20", "--set", "spool.take_up_s=3600"]);
    let lines: String = (1..=60)
        .map(|n| format!("{{\"type\":\"fast\",\"source\":\"s\",\"data\":{{\"n\":{n}}}}}\n"))
        .collect();
    let ran = home
        .kymo_with_input(&["emit", "-", "--json"], lines.as_bytes())
        .good();
    assert!(
        ran.json()["spooled"].as_u64().is_some_and(|kept| kept >= 20),
        "{}",
        ran.stdout
    );
    let spool = home.data().join("spool");
    let files = spool.read_dir().expect("there").flatten();
    let kept: usize = files
        .map(|file| {
            std::fs::read_to_string(file.path())
                .expect("read")
                .lines()
                .count()
        })
        .sum();
    assert_eq!(server.events("type:fast").len() + kept, 60);
}
