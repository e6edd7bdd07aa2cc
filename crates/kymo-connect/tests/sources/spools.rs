//! Spools arrive: every line, in order, once.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use kymo_connect::{SpoolWriter, take_up_spools};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::collector::Collector;

/// A data folder whose spools are taken up.
struct Desk {
    dir: TempDir,
    seen: Arc<Collector>,
    taking: Option<(tokio::runtime::Runtime, CancellationToken)>,
}

impl Desk {
    fn new() -> Self {
        let desk = Self {
            dir: tempfile::tempdir().unwrap(),
            seen: Arc::default(),
            taking: None,
        };
        fs::create_dir(desk.spool()).unwrap();
        desk
    }

    fn spool(&self) -> PathBuf {
        self.dir.path().join("spool")
    }

    fn take_up(&mut self) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let stop = CancellationToken::new();
        let (spool, outlet, token) = (self.spool(), self.seen.clone(), stop.clone());
        runtime.spawn(async move { take_up_spools(&spool, outlet, Duration::from_millis(20), token).await });
        self.taking = Some((runtime, stop));
    }

    /// As a crash does: between any two steps.
    fn kill(&mut self) {
        let (runtime, _) = self.taking.take().unwrap();
        runtime.shutdown_background();
    }

    fn until(&self, count: usize) -> Vec<String> {
        self.seen
            .until("events", |seen| (seen.len() >= count).then_some(()));
        self.seen.seen().iter().map(|seen| seen.kind.clone()).collect()
    }

    fn until_empty(&self) {
        let deadline = std::time::Instant::now() + crate::collector::DEADLINE;
        while !files(&self.spool()).is_empty() {
            assert!(
                std::time::Instant::now() < deadline,
                "left over: {:?}",
                files(&self.spool())
            );
            std::thread::yield_now();
        }
    }
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn record(kind: &str) -> String {
    format!(r#"{{"type":"{kind}","source":"test","data":{{"n":1.0}}}}"#)
}

#[test]
fn what_was_spooled_arrives_in_order_with_ids_and_the_file_goes() {
    let mut desk = Desk::new();
    let mut writer = SpoolWriter::create(&desk.spool()).unwrap();
    writer.append(&[record("a"), record("b")]).unwrap();
    writer.append(&[record("c")]).unwrap();
    assert_eq!(fs::read_to_string(writer.path()).unwrap().lines().count(), 3);
    desk.take_up();
    assert_eq!(desk.until(3), ["a", "b", "c"]);
    assert!(desk.seen.seen().iter().all(|seen| seen.id.len() == 36));
    desk.until_empty();
    assert_eq!(desk.seen.until_note("kymo.spool.taken").data["events"], 3);
}

#[test]
fn a_writer_goes_on_while_its_file_is_taken_away_again_and_again() {
    let mut desk = Desk::new();
    desk.take_up();
    let mut writer = SpoolWriter::create(&desk.spool()).unwrap();
    for n in 0..500 {
        writer.append(&[record(&format!("n{n}"))]).unwrap();
    }
    let expected: Vec<String> = (0..500).map(|n| format!("n{n}")).collect();
    assert_eq!(desk.until(500), expected);
    desk.until_empty();
    assert_eq!(desk.seen.seen().len(), 500, "each once");
}

#[test]
fn lines_of_a_writer_without_locks_are_found_after_the_renaming() {
    let mut desk = Desk::new();
    let path = desk.spool().join("foreign.jsonl");
    let mut file = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    file.write_all((record("early") + "\n").as_bytes()).unwrap();
    desk.take_up();
    desk.until(1);
    file.write_all((record("late") + "\n").as_bytes()).unwrap();
    assert_eq!(desk.until(2), ["early", "late"]);
    desk.until_empty();
}

#[test]
fn a_crash_between_emitting_and_removing_repeats_the_same_ids() {
    let mut desk = Desk::new();
    fs::write(
        desk.spool().join("x.jsonl"),
        record("a") + "\n" + &record("a") + "\n",
    )
    .unwrap();
    desk.take_up();
    desk.until(2);
    desk.kill();
    let left = files(&desk.spool());
    assert!(left.len() == 1 && left[0].ends_with(".taking"), "{left:?}");
    desk.take_up();
    desk.until(4);
    let ids: Vec<_> = desk.seen.seen().into_iter().map(|seen| seen.id).collect();
    assert_eq!(ids[..2], ids[2..]);
    assert_ne!(ids[0], ids[1], "equal lines are two events");
    desk.until_empty();
}

#[test]
fn lines_that_cannot_be_read_are_kept_and_named_and_the_others_arrive() {
    let mut desk = Desk::new();
    desk.seen.refuse("forbidden");
    let mut text = Vec::new();
    for line in [
        &*record("a"),
        "{broken",
        "",
        "[1]",
        &record("forbidden"),
        "\u{feff}",
        &record("b"),
    ] {
        text.extend_from_slice(line.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\"\xff\"\n");
    text.extend_from_slice(record("unfinished").as_bytes());
    fs::write(desk.spool().join("x.jsonl"), text).unwrap();
    desk.take_up();
    assert_eq!(desk.until(3), ["a", "b", "unfinished"]);
    desk.until_empty();
    let refused = desk.seen.until_note("kymo.spool.refused");
    let lines: Vec<_> = refused.data["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["line"].as_u64().unwrap())
        .collect();
    assert_eq!(
        lines,
        [2, 4, 6, 8, 5],
        "those refused at the other side come after those that could not be read"
    );
    let kept = fs::read(refused.text("kept")).unwrap();
    assert!(
        kept.starts_with(b"{broken\r\n[1]\r\n"),
        "{:?}",
        String::from_utf8_lossy(&kept)
    );
    assert_eq!(files(&desk.dir.path().join("quarantine")).len(), 1);
}

#[test]
fn while_the_other_side_is_away_nothing_is_lost_or_repeated() {
    let mut desk = Desk::new();
    desk.seen.fail(3);
    let mut writer = SpoolWriter::create(&desk.spool()).unwrap();
    writer.append(&[record("a"), record("b")]).unwrap();
    desk.take_up();
    assert_eq!(desk.until(2), ["a", "b"]);
    desk.until_empty();
    assert_eq!(desk.seen.seen().len(), 2);
}

#[test]
fn a_line_longer_than_memory_should_hold_is_refused_by_its_length() {
    let mut desk = Desk::new();
    let long = format!(r#"{{"type":"long","data":"{}"}}"#, "x".repeat(9 << 20));
    fs::write(
        desk.spool().join("x.jsonl"),
        record("a") + "\n" + &long + "\n" + &record("b") + "\n",
    )
    .unwrap();
    desk.take_up();
    assert_eq!(desk.until(2), ["a", "b"]);
    desk.until_empty();
    let refused = desk.seen.until_note("kymo.spool.refused");
    assert_eq!(refused.data["lines"][0]["code"], "event_too_large");
}

#[test]
fn many_writers_at_once_are_all_taken_up() {
    let mut desk = Desk::new();
    desk.take_up();
    let spool = desk.spool();
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let spool = spool.clone();
            std::thread::spawn(move || {
                let mut file = SpoolWriter::create(&spool).unwrap();
                for n in 0..50 {
                    file.append(&[record(&format!("{writer}.{n}"))]).unwrap();
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    let kinds = desk.until(400);
    desk.until_empty();
    for writer in 0..8 {
        let own: Vec<_> = kinds
            .iter()
            .filter(|kind| kind.starts_with(&format!("{writer}.")))
            .cloned()
            .collect();
        assert_eq!(own, (0..50).map(|n| format!("{writer}.{n}")).collect::<Vec<_>>());
    }
}
