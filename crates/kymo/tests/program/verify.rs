//! `verify` and `head`: is everything as it was written.

use std::fs;

use crate::support::Home;

fn with_events(count: u64) -> Home {
    let home = Home::new();
    let server = home.serve();
    let lines: String = (1..=count)
        .map(|n| format!("{{\"type\":\"a\",\"data\":{{\"n\":{n}}}}}\n"))
        .collect();
    assert_eq!(server.post(lines).0, 200);
    server.stop();
    home
}

fn segment(home: &Home) -> std::path::PathBuf {
    let mut segments: Vec<_> = fs::read_dir(home.data().join("ledger"))
        .expect("listed")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    segments.sort();
    segments.remove(0)
}

#[test]
fn a_good_ledger_is_good_with_and_without_a_server() {
    let home = with_events(3_000);
    let ran = home.kymo(&["verify"]).good();
    assert!(ran.stdout.contains("good"), "{}", ran.stdout);
    let _server = home.serve();
    let report = home.kymo(&["verify", "--json"]).good().json();
    assert!(
        report["events"].as_u64().is_some_and(|events| events >= 3_000),
        "{report}"
    );
    assert_eq!(report["damage"], serde_json::json!([]));
}

#[test]
fn a_head_kept_elsewhere_proves_that_nothing_was_changed() {
    let home = with_events(1_500);
    let head = home.kymo(&["head"]).good().stdout.trim().to_owned();
    let server = home.serve();
    server.post("{\"type\":\"later\"}");
    server.stop();
    let ran = home.kymo(&["verify", "--against", &head]).good();
    assert!(ran.stdout.contains("unchanged"), "{}", ran.stdout);
    let (seq, hash) = head.split_once(':').expect("a head");
    let other = format!("{seq}:{}", hash.chars().rev().collect::<String>());
    let ran = home.kymo(&["verify", "--against", &other]).code(5);
    assert!(
        ran.stdout.contains("not the ledger of that head"),
        "{}",
        ran.stdout
    );
    home.kymo(&["verify", "--against", "nonsense"]).code(2);
}

#[test]
fn a_changed_byte_is_named_by_file_and_seq() {
    let home = with_events(50);
    let path = segment(&home);
    let mut text = fs::read_to_string(&path).expect("read");
    let at = text.find("\"n\":20}").expect("event 20");
    text.replace_range(at + 4..at + 6, "99");
    fs::write(&path, text).expect("written");
    let ran = home.kymo(&["verify"]).code(5);
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    assert!(
        ran.stdout.contains("damaged") && ran.stdout.contains(&name),
        "{}",
        ran.stdout
    );
    let report = home.kymo(&["verify", "--json"]).code(5).json();
    assert!(report["damage"][0]["first"].as_u64().is_some(), "{report}");
}

#[test]
fn an_empty_place_has_no_head_and_says_so() {
    let home = Home::new();
    home.kymo(&["head", "--data", "nothing"]).code(1);
    let ran = home.kymo(&["verify", "--data", "nothing"]).code(1);
    assert!(ran.stderr.contains("nothing is recorded"), "{}", ran.stderr);
    let ran = home.kymo(&["verify", "--url", "http://127.0.0.1:1"]).code(2);
    assert!(ran.stderr.contains("--data"), "{}", ran.stderr);
}
