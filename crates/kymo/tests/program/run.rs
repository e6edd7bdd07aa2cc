//! `run`: the command behaves as if alone, and what it does is recorded.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{Home, Ran, Running, signal};

fn of_type<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["type"] == kind).collect()
}

#[test]
fn start_lines_and_end_are_recorded_under_one_session_and_span() {
    let home = Home::new();
    let server = home.serve();
    let script = "echo one; echo two >&2; printf three";
    let ran = home
        .kymo(&["run", "--agent", "tester", "--", "sh", "-c", script])
        .good();
    assert_eq!(
        (ran.stdout.as_str(), ran.stderr.as_str()),
        ("one\nthree", "two\n")
    );

    let events = server.events("source:run");
    let started = of_type(&events, "process.started");
    assert_eq!(started.len(), 1);
    assert_eq!(started[0]["data"]["argv"], json!(["sh", "-c", script]));
    assert_eq!(started[0]["data"]["cwd"], home.project().to_str().expect("UTF-8"));
    let output = of_type(&events, "process.output");
    let mut lines: Vec<_> = output
        .iter()
        .map(|event| {
            (
                event["data"]["stream"].as_str(),
                event["data"]["line"].as_u64(),
                event["data"]["text"].as_str(),
            )
        })
        .collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            (Some("stderr"), Some(1), Some("two")),
            (Some("stdout"), Some(1), Some("one")),
            (Some("stdout"), Some(2), Some("three")),
        ]
    );
    let exited = of_type(&events, "process.exited");
    assert_eq!(exited[0]["data"]["exit_code"], 0);
    assert_eq!(exited[0]["data"]["lines"], json!({ "stdout": 2, "stderr": 1 }));
    assert_eq!(exited[0]["data"]["bytes"], json!({ "stdout": 9, "stderr": 4 }));
    assert!(exited[0]["data"]["duration_ms"].is_u64());
    for event in &events {
        assert_eq!(
            (&event["session"], &event["span"]),
            (&started[0]["session"], &started[0]["span"])
        );
        assert_eq!(event["agent"], "tester");
    }
    assert_eq!(
        events.first().map(|event| &event["type"]),
        Some(&json!("process.started"))
    );
    assert_eq!(
        events.last().map(|event| &event["type"]),
        Some(&json!("process.exited"))
    );
}

#[test]
fn every_byte_of_every_stream_passes_unchanged() {
    let home = Home::new();
    let _server = home.serve();
    let mut input: Vec<u8> = (0..=255u8).cycle().take(300_000).collect();
    input.extend_from_slice(b"\r\n\0no line end");
    let mut command = home.command(&["run", "--", "sh", "-c", "tee /dev/stderr"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("piped");
    let sent = input.clone();
    let writer = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, &sent));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("no panic").expect("written");
    assert!(output.status.success());
    assert!(output.stdout == input, "standard output differs");
    assert!(output.stderr == input, "standard error differs");
}

#[test]
fn exit_codes_pass_through() {
    let home = Home::new();
    let server = home.serve();
    for code in [0, 1, 4, 77, 255] {
        home.kymo(&["run", "--", "sh", "-c", &format!("exit {code}")])
            .code(code);
    }
    home.kymo(&["run", "--", "sh", "-c", "kill -9 $$"]).code(137);
    home.kymo(&["run", "--", "sh", "-c", "kill -TERM $$"]).code(143);
    home.kymo(&["run", "--", "/no/such/command"]).code(127);
    home.write("plain", "no program");
    home.kymo(&["run", "--", "./plain"]).code(126);
    home.kymo(&["run"]).code(2);
    let events = server.events("type:process.*");
    let exited = of_type(&events, "process.exited");
    assert_eq!(exited[3]["data"]["exit_code"], 77);
    assert_eq!(
        (&exited[3]["level"], &exited[0]["level"]),
        (&json!("error"), &json!("info"))
    );
    assert_eq!(
        (&exited[5]["data"]["exit_code"], &exited[5]["data"]["signal"]),
        (&json!(null), &json!(9))
    );
    assert_eq!(of_type(&events, "process.failed").len(), 2);
}

#[test]
fn a_signal_sent_to_kymo_reaches_the_command_once() {
    let home = Home::new();
    let _server = home.serve();
    for (name, code) in [("TERM", 21), ("INT", 22), ("HUP", 23), ("USR1", 24)] {
        let script = "trap 'echo got TERM; exit 21' TERM; trap 'echo got INT; exit 22' INT; \
                      trap 'echo got HUP; exit 23' HUP; trap 'echo got USR1; exit 24' USR1; \
                      echo ready; while :; do sleep 0.01; done";
        let running = Running::start(home.command(&["run", "--", "sh", "-c", script]));
        assert_eq!(running.line(), "ready");
        signal(running.pid(), name);
        let (status, lines, _) = running.end();
        assert_eq!(status.code(), Some(code), "{name}");
        assert_eq!(lines, [format!("got {name}")]);
    }
}

#[test]
fn without_a_server_the_run_is_kept_and_arrives_later() {
    let home = Home::new();
    home.serve().stop();
    let ran = home.kymo(&["run", "--", "sh", "-c", "echo kept; exit 3"]).code(3);
    assert_eq!(ran.stdout, "kept\n");
    let server = home.serve();
    let events = server.wait_for_events("type:process.*", 3);
    let kinds: Vec<_> = events
        .iter()
        .map(|event| event["type"].as_str().expect("text"))
        .collect();
    assert_eq!(kinds, ["process.started", "process.output", "process.exited"]);
}

#[test]
fn a_server_that_hangs_or_dies_neither_slows_nor_breaks_the_command() {
    let home = Home::new();
    let server = home.serve();
    let count = 20_000;
    let script = format!("seq {count}; echo done >&2");
    let start = |task: &str| {
        let began = Instant::now();
        let running = Running::start(home.command(&["run", "--task", task, "--", "sh", "-c", &script]));
        running.error_with("done");
        (running, began.elapsed())
    };
    let (running, usual) = start("usual");
    assert!(running.end().0.success());
    server.signal("STOP");
    let (running, took) = start("hanging");
    // Waiting for an answer would cost three seconds more, however fast or slow this machine is.
    assert!(
        took < usual * 3 + Duration::from_secs(2),
        "the command was held up: {took:?} instead of {usual:?}"
    );
    let (status, lines, _) = running.end();
    assert!(status.success());
    assert_eq!(lines.len(), count);
    server.signal("CONT");
    let outputs = server.wait_for_events("type:process.output data.stream:stdout task:hanging", count);
    let mut numbers: Vec<u64> = outputs
        .iter()
        .map(|event| event["data"]["line"].as_u64().expect("a number"))
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=count as u64).collect::<Vec<_>>());
}

#[test]
fn a_long_line_is_cut_in_the_record_and_whole_in_the_output() {
    let home = Home::new();
    let server = home.serve();
    let ran = home
        .kymo(&["run", "--", "sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x"])
        .good();
    assert_eq!(ran.stdout.len(), 100_000);
    let output = &server.events("type:process.output")[0]["data"];
    assert_eq!(output["text"].as_str().expect("text").len(), 8192);
    assert_eq!(output["cut"], 100_000 - 8192);
}

#[test]
fn output_that_is_no_text_is_recorded_with_a_mark() {
    let home = Home::new();
    let server = home.serve();
    home.kymo(&["run", "--", "printf", "\\377bad\\n"]).good();
    let output = &server.events("type:process.output")[0]["data"];
    assert_eq!(
        (output["text"].as_str(), &output["lossy"]),
        (Some("\u{fffd}bad"), &json!(true))
    );
}

#[test]
fn what_the_command_emits_belongs_to_it() {
    let home = Home::new();
    let server = home.serve();
    let kymo = env!("CARGO_BIN_EXE_kymo");
    let script = format!("cd / && {kymo} emit inner && {kymo} run -- true");
    home.kymo(&["run", "--task", "t1", "--", "sh", "-c", &script])
        .good();
    let started = server.events("type:process.started");
    let of = |name: &str| {
        started
            .iter()
            .find(|event| event["data"]["argv"][0] == name)
            .expect("it was started")
    };
    let (outer, nested, inner) = (of("sh"), of("true"), &server.events("type:inner")[0]);
    assert_eq!(
        (&inner["session"], &inner["task"]),
        (&outer["session"], &json!("t1"))
    );
    assert_eq!(inner["parent"], outer["span"]);
    assert_eq!(
        (&nested["session"], &nested["parent"]),
        (&outer["session"], &outer["span"])
    );
    assert_ne!(nested["span"], outer["span"]);
}

#[test]
fn a_reader_that_closes_the_pipe_ends_the_command_as_it_would_alone() {
    let home = Home::new();
    let _server = home.serve();
    let mut command = home.command(&["run", "--", "yes"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut first = [0u8; 4];
    std::io::Read::read_exact(child.stdout.as_mut().expect("piped"), &mut first).expect("read");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(128 + 13));
    assert_eq!(&first, b"y\ny\n");
}

#[test]
fn output_can_be_left_out_of_the_record() {
    let home = Home::new();
    let server = home.serve();
    let ran = home.kymo(&["run", "--no-output", "--", "echo", "secret"]).good();
    assert_eq!(ran.stdout, "secret\n");
    assert_eq!(server.events("type:process.*").len(), 2);
}

#[test]
fn a_command_runs_even_where_nothing_can_be_recorded() {
    let home = Home::new();
    home.write("blocked", "a file, not a folder");
    let mut command = home.command(&["run", "--", "echo", "hi"]);
    command.env("KYMO_DATA", "blocked");
    let ran = Ran::of(command).good();
    assert_eq!(ran.stdout, "hi\n");
    assert!(
        ran.stderr.contains("not everything was recorded"),
        "{}",
        ran.stderr
    );
}

#[test]
fn ctrl_c_at_the_terminal_reaches_the_command_once() {
    // `script` gives the command a terminal of its own, in which we type Ctrl-C.
    if Command::new("script")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_err()
    {
        println!("skipped: there is no `script` to make a terminal with");
        return;
    }
    let home = Home::new();
    let _server = home.serve();
    home.write("trap.sh", "trap 'echo \"got INT\"; n=$((n+1))' INT\necho ready\ni=0\nwhile [ $i -lt 60 ]; do sleep 0.01; [ -n \"$n\" ] && i=$((i+1)); done\necho \"in all $n\"\n");
    let kymo = env!("CARGO_BIN_EXE_kymo");
    let mut command = home.program(
        "script",
        &["-qefc", &format!("exec {kymo} run -- sh trap.sh"), "/dev/null"],
    );
    command.stdin(Stdio::piped());
    let mut running = Running::start(command);
    assert_eq!(running.line().trim(), "ready");
    let mut terminal = running.stdin();
    std::io::Write::write_all(&mut terminal, b"\x03").expect("typed");
    let (status, lines, _) = running.end();
    assert!(status.success(), "{status} {lines:?}");
    assert!(lines.iter().any(|line| line.trim() == "in all 1"), "{lines:?}");
}

#[test]
fn a_signal_that_whoever_started_us_ignores_stays_ignored() {
    let home = Home::new();
    let _server = home.serve();
    let kymo = env!("CARGO_BIN_EXE_kymo");
    let script = format!("trap '' HUP; exec {kymo} run -- sh -c 'kill -HUP $$; echo alive'");
    let ran = Ran::of(home.program("sh", &["-c", &script])).good();
    assert_eq!(ran.stdout, "alive\n");
}

#[test]
fn what_the_command_leaves_behind_is_waited_for_until_a_signal_says_otherwise() {
    let home = Home::new();
    let server = home.serve();
    let running = Running::start(home.command(&["run", "--", "sh", "-c", "sleep 300 & echo $!; exit 5"]));
    let left_behind: u32 = running.line().parse().expect("a pid");
    // The command itself is gone; what it left behind still holds its output.
    server.wait_for_events("type:process.output", 1);
    let pid = running.pid().to_string();
    crate::support::wait_for("the command's end", || {
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        children.map_or(Some(()), |children| children.trim().is_empty().then_some(()))
    });
    signal(running.pid(), "TERM");
    let (status, _, _) = running.end();
    signal(left_behind, "KILL");
    assert_eq!(status.code(), Some(128 + 15));
    let exited = &server.wait_for_events("type:process.exited", 1)[0]["data"];
    assert_eq!(
        (&exited["exit_code"], &exited["lines"]["stdout"]),
        (&json!(5), &json!(1))
    );
}

#[test]
fn a_run_whose_token_is_not_accepted_is_kept_and_follows_once_one_is() {
    let home = Home::new();
    let elsewhere = Home::new();
    let server = elsewhere.serve();
    let place = |token: &str| {
        [
            "--url".to_owned(),
            server.url.clone(),
            "--token".to_owned(),
            token.to_owned(),
        ]
    };
    let with = |token: &str, args: &[&str]| {
        let place = place(token);
        let (first, rest) = args.split_first().expect("a command");
        let mut all = vec![*first];
        all.extend(place.iter().map(String::as_str));
        all.extend(rest);
        home.kymo(&all)
    };
    let ran = with("wrong", &["run", "--", "echo", "hi"]).good();
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("hi\n", ""));
    assert!(server.events("type:process.*").is_empty());
    with(&server.token, &["emit", "later"]).good();
    assert_eq!(server.wait_for_events("type:process.*", 3).len(), 3);
}

#[test]
fn what_the_server_refuses_is_counted_and_said() {
    let home = Home::new();
    let _server = home.serve();
    let ran = home
        .kymo(&["run", "--agent", &"x".repeat(300), "--", "echo", "hi"])
        .good();
    assert_eq!(ran.stdout, "hi\n");
    assert!(
        ran.stderr.contains("3 events were refused") && ran.stderr.contains("[id_too_long]"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_hub_that_stops_and_comes_back_elsewhere_is_found_by_what_the_command_emits() {
    use std::io::Write;
    let home = Home::new();
    let server = home.serve();
    let kymo = env!("CARGO_BIN_EXE_kymo");
    let script = format!("while read word; do {kymo} emit \"$word\" -q; echo did $word; done");
    let mut command = home.command(&["run", "--", "sh", "-c", &script]);
    command.stdin(Stdio::piped());
    let mut running = Running::start(command);
    let mut stdin = running.stdin();
    let mut say = |word: &str| {
        writeln!(stdin, "{word}").expect("written");
        assert_eq!(running.line(), format!("did {word}"));
    };
    say("with");
    server.stop();
    say("without");
    let server = home.serve();
    say("again");
    drop(stdin);
    assert!(running.end().0.success());
    for word in ["with", "without", "again"] {
        server.wait_for_events(&format!("type:{word}"), 1);
    }
    assert_eq!(server.wait_for_events("type:process.output", 3).len(), 3);
}
