//! `import`: whole files, once, with every refusal named.

use std::fs;

use kymo_event::dialects;
use serde_json::Value;

use crate::support::{Home, fixtures, numbers};

fn lines(numbers: impl IntoIterator<Item = u64>) -> String {
    numbers
        .into_iter()
        .map(|n| format!("{{\"type\":\"old\",\"source\":\"file\",\"data\":{{\"n\":{n}}}}}\n"))
        .collect()
}

/// Stored, known, refused.
fn counts(summary: &Value) -> [u64; 3] {
    ["stored", "known", "refused"].map(|name| summary[name].as_u64().expect("a count"))
}

/// What was said of this line of a file.
fn said<'r>(stderr: &'r str, file: &str, line: u64) -> Option<&'r str> {
    stderr
        .lines()
        .find(|said| said.starts_with(&format!("{file}:{line}: ")))
}

#[test]
fn a_file_is_imported_once_however_often_it_is_given() {
    let home = Home::new();
    let server = home.serve();
    home.write("old.jsonl", lines(1..=3_000));
    let first = home.kymo(&["import", "old.jsonl", "--json"]).good().json();
    assert_eq!(counts(&first), [3000, 0, 0]);
    let again = home.kymo(&["import", "old.jsonl", "--json"]).good().json();
    assert_eq!(counts(&again), [0, 3000, 0]);
    // The file grows; only what is new is new.
    home.write("old.jsonl", lines(1..=3_005));
    let grown = home.kymo(&["import", "old.jsonl", "--json"]).good().json();
    assert_eq!(counts(&grown), [5, 3000, 0]);
    // Another file with the same first lines is another file.
    home.write("other.jsonl", lines(1..=2));
    let other = home.kymo(&["import", "other.jsonl", "--json"]).good().json();
    assert_eq!(other["stored"], 2);
    fs::rename(
        home.project().join("other.jsonl"),
        home.project().join("moved.jsonl"),
    )
    .expect("moved");
    let name = home.project().join("other.jsonl");
    let moved = home
        .kymo(&[
            "import",
            "moved.jsonl",
            "--as",
            name.to_str().expect("UTF-8"),
            "--json",
        ])
        .good()
        .json();
    assert_eq!(moved["known"], 2);
    let events = server.events("type:old");
    assert_eq!(events.len(), 3_007);
    assert!(events.iter().all(|event| event["backfill"] == true));
}

#[test]
fn a_folder_without_a_server_is_imported_into_directly_and_only_once_too() {
    let home = Home::new();
    home.write("old.jsonl", lines(1..=500));
    home.kymo(&["import", "old.jsonl"]).code(3);
    let ran = home.kymo(&["import", "old.jsonl", "--data", ".kymo"]).good();
    assert!(ran.stdout.contains("stored 500"), "{}", ran.stdout);
    let again = home
        .kymo(&["import", "old.jsonl", "--data", ".kymo", "--json"])
        .good()
        .json();
    assert_eq!(again["known"], 500);
    let server = home.serve();
    assert_eq!(numbers(&server.events("type:old")), (1..=500).collect::<Vec<_>>());
    let by_server = home.kymo(&["import", "old.jsonl", "--json"]).good().json();
    assert_eq!(by_server["known"], 500);
}

#[test]
fn refused_lines_are_named_by_number_and_reason_and_the_others_are_stored() {
    let home = Home::new();
    let server = home.serve();
    let mut text = lines(1..=1);
    text.push_str("\r\n  \n{broken\n");
    text.push_str(&lines(2..=2));
    text.push_str("[1]\n\"text\"\n{\"data\":1}\n{\"type\":\"kymo.mine\"}\n{\"type\":\"a\",\"type\":\"b\"}\n");
    text.push_str(&format!("{{\"type\":\"{}\"}}\n", "x".repeat(300)));
    text.push_str(lines(3..=3).trim_end());
    home.write("mixed.jsonl", text);
    let ran = home.kymo(&["import", "mixed.jsonl"]).code(4);
    let said_all = ran.stdout.contains("stored 4, unrecognised 1, refused 6");
    assert!(said_all, "{}", ran.stdout);
    for (line, code) in [
        (4, "invalid_json"),
        (6, "not_an_event"),
        (7, "not_an_event"),
        (9, "reserved_type"),
        (10, "duplicate_key"),
        (11, "name_too_long"),
    ] {
        assert!(
            said(&ran.stderr, "mixed.jsonl", line).is_some_and(|said| said.contains(&format!(" [{code}] "))),
            "line {line} {code}: {}",
            ran.stderr
        );
    }
    assert_eq!(numbers(&server.events("type:old")), [1, 2, 3]);
    let kept = &server.events("type:unrecognised")[0];
    assert_eq!(
        (&kept["data"], &kept["source"]),
        (&serde_json::json!({"data": 1}), &"mixed.jsonl".into())
    );
}

#[test]
fn a_line_too_large_for_any_event_is_refused_without_being_held() {
    let home = Home::new();
    let server = home.serve();
    let mut text = lines(1..=1).into_bytes();
    text.extend(format!("{{\"type\":\"big\",\"data\":\"{}\"}}\n", "x".repeat(40 << 20)).into_bytes());
    text.extend(format!("{{\"type\":\"big\",\"data\":\"{}\"}}\n", "x".repeat(2 << 20)).into_bytes());
    text.extend(b"{\"type\":\"utf\xff\"}\n");
    text.extend(lines(2..=2).into_bytes());
    home.write("large.jsonl", text);
    let ran = home.kymo(&["import", "large.jsonl"]).code(4);
    for (line, code) in [
        (2, "event_too_large"),
        (3, "event_too_large"),
        (4, "invalid_utf8"),
    ] {
        assert!(
            said(&ran.stderr, "large.jsonl", line).is_some_and(|said| said.contains(&format!(" [{code}] "))),
            "line {line}: {}",
            ran.stderr
        );
    }
    assert_eq!(numbers(&server.events("type:old")), [1, 2]);
}

#[test]
fn standard_input_and_an_array_are_read_too() {
    let home = Home::new();
    let server = home.serve();
    home.kymo_with_input(&["import", "-"], lines(1..=2).as_bytes())
        .good();
    home.write(
        "array.json",
        "[\n {\"type\":\"old\",\"data\":{\"n\":3}},\n [1],\n {\"type\":\"old\",\n\"data\":{\"n\":4}}\n]\n",
    );
    let ran = home.kymo(&["import", "array.json"]).code(4);
    assert!(
        said(&ran.stderr, "array.json", 3).is_some_and(|said| said.contains("[not_an_event] [1]")),
        "{}",
        ran.stderr
    );
    assert_eq!(numbers(&server.events("type:old")), [1, 2, 3, 4]);
}

#[test]
fn a_file_that_is_not_there_or_a_folder_is_said() {
    let home = Home::new();
    let _server = home.serve();
    let ran = home.kymo(&["import", "missing.jsonl"]).code(1);
    assert!(ran.stderr.contains("missing.jsonl"), "{}", ran.stderr);
    let ran = home.kymo(&["import", "."]).code(2);
    assert!(ran.stderr.contains("folder"), "{}", ran.stderr);
    home.kymo(&["import", "x", "--dialect", "unknown"]).code(2);
}

#[test]
fn every_refused_text_of_the_public_json_suite_is_refused_by_its_line() {
    let Some(suite) = fixtures("json/JSONTestSuite/test_parsing") else {
        return;
    };
    let home = Home::new();
    let server = home.serve();
    let mut text = Vec::new();
    let mut expected = Vec::new();
    let mut line = 0;
    let mut files: Vec<_> = fs::read_dir(suite)
        .expect("listed")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    for file in files {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let body = fs::read(&file).expect("read");
        // A text with a line end inside is two lines of a file of lines, and another matter.
        if !name.starts_with("n_") || body.contains(&b'\n') || body.len() > 50_000 {
            continue;
        }
        text.extend_from_slice(b"\n");
        text.extend_from_slice(b"{\"type\":\"suite\",\"data\":");
        text.extend_from_slice(&body);
        text.extend_from_slice(b"}\n");
        line += 2;
        expected.push((line, name));
    }
    assert!(expected.len() > 150, "only {} texts", expected.len());
    text.extend_from_slice(lines(1..=1).as_bytes());
    home.write("suite.jsonl", text);
    let ran = home.kymo(&["import", "suite.jsonl"]).code(4);
    for (line, name) in &expected {
        assert!(
            said(&ran.stderr, "suite.jsonl", *line).is_some(),
            "{name} was not refused"
        );
    }
    assert_eq!(ran.stderr.lines().count(), expected.len(), "{}", ran.stderr);
    assert_eq!(numbers(&server.events("source:file")), [1]);
}

#[test]
fn every_valid_cloud_event_is_kept_and_every_invalid_one_refused() {
    let Some(folder) = fixtures("cloudevents") else {
        return;
    };
    let home = Home::new();
    let server = home.serve();
    let read = |name: &str| -> Vec<Value> {
        serde_json::from_slice(&fs::read(folder.join(name)).expect("read")).expect("JSON")
    };
    let as_lines =
        |cases: &[Value]| -> String { cases.iter().map(|case| format!("{}\n", case["event"])).collect() };

    let valid = read("valid.json");
    home.write("valid.jsonl", as_lines(&valid));
    let summary = home
        .kymo(&["import", "valid.jsonl", "--dialect", "cloudevents", "--json"])
        .good()
        .json();
    assert_eq!(
        summary["stored"].as_u64().unwrap_or(0) + summary["known"].as_u64().unwrap_or(0),
        valid.len() as u64
    );
    let mut exported = home
        .kymo(&["export", "-type:kymo.*", "--dialect", "cloudevents"])
        .good()
        .ndjson();
    for event in &mut exported {
        // What was imported says so, as an extension.
        assert_eq!(
            event.as_object_mut().expect("an object").remove("backfill"),
            Some(Value::Bool(true))
        );
    }
    for case in &valid {
        assert!(
            exported.contains(&case["event"]),
            "{} did not come back equal:\n{}\n{exported:#?}",
            case["name"],
            case["event"]
        );
    }

    let invalid = read("invalid.json");
    home.write("invalid.jsonl", as_lines(&invalid));
    let before = server.events("-type:kymo.*").len();
    let ran = home
        .kymo(&["import", "invalid.jsonl", "--dialect", "cloudevents"])
        .code(4);
    for (index, case) in invalid.iter().enumerate() {
        assert!(
            said(&ran.stderr, "invalid.jsonl", index as u64 + 1).is_some(),
            "{} was taken",
            case["name"]
        );
    }
    assert_eq!(server.events("-type:kymo.*").len(), before);
}

#[test]
fn a_large_array_is_read_in_parts_and_each_refusal_still_has_its_line() {
    let home = Home::new();
    let server = home.serve();
    let count = 120_000;
    let mut text = String::from("[\n");
    for n in 1..=count {
        // Two of them are no events, far apart.
        let twice = if n == 3 || n == count - 1 {
            "\"type\":\"old\","
        } else {
            ""
        };
        let comma = if n == count { "" } else { "," };
        text.push_str(&format!(
            "{{{twice}\"type\":\"old\",\"id\":\"{n}\",\"data\":\"{}\"}}{comma}\n",
            "x".repeat(280)
        ));
    }
    text.push(']');
    assert!(text.len() > 34 << 20);
    home.write("array.json", text);
    let ran = home.kymo(&["import", "array.json"]).code(4);
    assert!(ran.stdout.contains("stored 119,998, refused 2"), "{}", ran.stdout);
    for line in [4, count] {
        assert!(said(&ran.stderr, "array.json", line).is_some(), "{}", ran.stderr);
    }
    assert_eq!(
        server.get("/api/v1/status")["head"]
            .as_u64()
            .map(|head| head >= 119_998),
        Some(true)
    );
}

#[test]
fn what_comes_too_fast_for_the_server_is_sent_again_until_it_is_stored() {
    let home = Home::new();
    let server = home.serve_with(&["--set", "hub.rate_per_source=20"]);
    let file: String = (1..=50)
        .map(|n| format!("{{\"type\":\"fast\",\"source\":\"s\",\"data\":{{\"n\":{n}}}}}\n"))
        .collect();
    home.write("fast.jsonl", file);
    let summary = home.kymo(&["import", "fast.jsonl", "--json"]).good().json();
    assert_eq!((&summary["stored"], &summary["refused"]), (&50.into(), &0.into()));
    assert_eq!(server.events("type:fast").len(), 50);
}

#[test]
fn a_damaged_ledger_of_another_program_gives_all_its_good_records_and_says_what_is_in_it() {
    let home = Home::new();
    let server = home.serve();
    let at = |n: u64, rest: &str| format!(r#"{{"event":"step_{n}","n":{n},"ts":17614474{n:02}.25{rest}}}"#);
    let text = format!(
        "\u{feff}{}\n{}{}\n\0\0{}\n{}\n{{\"event\": \"lost\n{{\n  \"event\": \"step_6\",\n  \"timestamp\": \"2025-10-26 03:00:00\"\n}}\n{}",
        at(1, ""),
        r#"{"event":"cut","n":"#,
        at(2, ""),
        at(3, r#","x":{"event":"inner"}"#),
        at(4, "") + &at(5, ""),
        at(7, ""),
    );
    home.write("old.jsonl", &text);
    let ran = home.kymo(&["import", "old.jsonl"]).code(4);
    for line in [2, 5] {
        assert!(said(&ran.stderr, "old.jsonl", line).is_some(), "{}", ran.stderr);
    }
    assert!(
        said(&ran.stderr, "old.jsonl", 2)
            .is_some_and(|said| said.ends_with(r#"[invalid_json] {"event":"cut","n":"#))
    );
    let events = server.events("type:step.*");
    assert_eq!(events.len(), 7, "{}", ran.stderr);
    for shown in [
        "stored 7, refused 2 of 10 lines",
        "step_1 1",
        "2025-10-26T03:00:00.000000Z",
        "1 without a zone, taken as UTC",
        "invalid_json 2",
    ] {
        assert!(ran.stdout.contains(shown), "{shown}: {}", ran.stdout);
    }
    let summary = home.kymo(&["import", "old.jsonl", "--json"]).code(4).json();
    assert_eq!(counts(&summary), [0, 7, 2]);
    assert_eq!(summary["refused_by_reason"]["invalid_json"], 2);
    assert_eq!(summary["times_inferred"], 1);
    assert_eq!(summary["types"]["step_6"], 1);
    assert_eq!(
        fs::read_to_string(home.project().join("old.jsonl")).expect("read"),
        text
    );
}

/// Imports the records twice and exports them: each comes back equal, once.
fn there_and_back(dialect: &str, import: &[&str], records: &[&str]) {
    let home = Home::new();
    let _server = home.serve();
    home.write("there.jsonl", records.join("\n"));
    let stored = |word: &str| {
        let mut command = vec!["import", "there.jsonl", "--json", "--source", "legacy"];
        command.extend_from_slice(import);
        home.kymo(&command).good().json()[word].as_u64()
    };
    assert_eq!(stored("stored"), Some(records.len() as u64), "{dialect}");
    assert_eq!(stored("known"), Some(records.len() as u64), "{dialect}");
    let exported = home
        .kymo(&["export", "-type:kymo.*", "--dialect", dialect])
        .good()
        .ndjson();
    let sent: Vec<Value> = records
        .iter()
        .map(|record| serde_json::from_str(record).expect("JSON"))
        .collect();
    assert_eq!(exported, sent, "{dialect}");
}

#[test]
fn records_of_other_systems_are_recognised_and_exported_equal() {
    for dialect in ["resonance", "broadcast", "conductor", "egos"] {
        let samples = dialects::by_name(dialect).expect("a dialect").samples();
        // What compares them holds neither every number nor half a surrogate pair.
        let comparable = |sample: &&&str| serde_json::from_str::<Value>(sample).is_ok();
        let records: Vec<&str> = samples.iter().filter(comparable).copied().collect();
        assert!(records.len() > 4);
        there_and_back(dialect, &[], &records);
    }
}

#[test]
fn real_ledgers_are_imported_and_exported_equal() {
    let Some(folder) = fixtures("resonance") else {
        return;
    };
    for entry in fs::read_dir(folder).expect("a folder") {
        let text = fs::read_to_string(entry.expect("an entry").path()).expect("read");
        let records: Vec<&str> = text.trim_start_matches('\u{feff}').lines().collect();
        there_and_back("resonance", &["--dialect", "resonance"], &records);
    }
}

#[test]
fn keys_that_the_settings_name_are_understood_and_given_back() {
    let home = Home::new();
    home.write(
        "kymo.toml",
        "[dialects.resonance]\ntype = [\"kind\"]\ntime = [\"when\"]\nagent = [\"who\"]\ntask = [\"/meta/job\"]\n",
    );
    let record = r#"{"kind":"build.done","when":"2026-02-14T19:01:23Z","who":"planner","meta":{"job":"t1"},"ok":true}"#;
    home.write("mine.jsonl", format!("{record}\n{{\"what\":1}}\n"));
    let server = home.serve();
    let ran = home.kymo(&["import", "mine.jsonl", "--json"]).good().json();
    assert_eq!(
        (&ran["stored"], &ran["unrecognised"]),
        (&2.into(), &1.into()),
        "{ran}"
    );
    for (kind, dialect) in [("build.done", "resonance"), ("unrecognised", "kymo")] {
        let event = &server.events(&format!("type:{kind}"))[0];
        assert_eq!(event["dialect"].as_str().unwrap_or("kymo"), dialect, "{event}");
    }
    let event = &server.events("agent:planner task:t1")[0];
    assert_eq!(event["time"], "2026-02-14T19:01:23.000000Z", "{event}");
    let out = home
        .kymo(&["export", "agent:planner", "--dialect", "resonance"])
        .good()
        .stdout;
    let back: Value = serde_json::from_str(out.trim()).expect("a record");
    assert_eq!(back, serde_json::from_str::<Value>(record).expect("JSON"));
}

#[test]
fn keys_that_cannot_be_are_refused_with_their_table() {
    let home = Home::new();
    home.write(
        "kymo.toml",
        "[dialects.resonance]\ntype = [\"a\"]\ntime = [\"a\"]\n",
    );
    home.write("mine.jsonl", "{}\n");
    let ran = home.kymo(&["import", "mine.jsonl", "--data", ".kymo"]).code(8);
    assert!(
        ran.stderr.contains("dialects.resonance") && ran.stderr.contains("leave one"),
        "{}",
        ran.stderr
    );
}
