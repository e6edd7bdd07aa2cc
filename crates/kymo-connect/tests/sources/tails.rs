//! Files of JSON lines that others write.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use kymo_connect::{FileRecords, Tail, TailPlan, TailSettings, TailStatus};
use kymo_event::{Limits, salvage::Salvage};
use tokio_util::sync::CancellationToken;

use crate::collector::Collector;

struct Following {
    folder: tempfile::TempDir,
    collector: Arc<Collector>,
    stop: CancellationToken,
    tail: Tail,
}

/// Follows a folder in which these files stand already.
fn follow(files: &[(&str, &[u8])]) -> Following {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    follow_in(folder)
}

/// Follows a folder as it is.
fn follow_in(folder: tempfile::TempDir) -> Following {
    let settings = TailSettings {
        paths: vec![folder.path().to_string_lossy().into_owned()],
        sweep_ms: 100,
        ..TailSettings::default()
    };
    let (collector, stop) = (Arc::new(Collector::default()), CancellationToken::new());
    let plan = TailPlan::unkept("logs", settings, &folder.path().join("data"));
    let tail = Tail::start(plan, collector.clone(), &stop).unwrap();
    Following {
        folder,
        collector,
        stop,
        tail,
    }
}

impl Following {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        use std::io::Write;
        let mut file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path(name))
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Waits for so many events; what they say, in their order.
    async fn until(&self, count: usize) -> Vec<u64> {
        let collector = Arc::clone(&self.collector);
        let waiting = move || {
            collector.until("events of files", |seen| {
                (seen.len() >= count).then(|| {
                    seen.iter()
                        .map(|event| event.data["n"].as_u64().unwrap())
                        .collect()
                })
            })
        };
        tokio::task::spawn_blocking(waiting).await.unwrap()
    }

    async fn end(self) -> TailStatus {
        self.stop.cancel();
        self.tail.finished().await
    }
}

fn line(n: u64) -> String {
    format!("{{\"type\":\"t\",\"data\":{{\"n\":{n}}}}}\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_there_comes_as_the_past_and_what_is_appended_rotated_or_created_later_does_not() {
    let following = follow(&[("a.jsonl", line(1).as_bytes())]);
    following.until(1).await;
    following.append("a.jsonl", &line(2));
    following.until(2).await;
    fs::rename(following.path("a.jsonl"), following.path("a.jsonl.1")).unwrap();
    following.append("a.jsonl.1", &line(3));
    following.until(3).await;
    following.append("a.jsonl", &line(4));
    following.until(4).await;
    fs::create_dir_all(following.path("later/deep")).unwrap();
    following.append("later/deep/b.ndjson", &line(5));
    assert_eq!(following.until(5).await, [1, 2, 3, 4, 5]);
    let seen = following.collector.seen();
    let pasts: Vec<bool> = seen.iter().map(|event| event.past).collect();
    assert_eq!(pasts, [true, false, false, false, false]);
    let sources: Vec<&str> = seen.iter().map(|event| &*event.source).collect();
    assert_eq!(sources, ["a.jsonl", "a.jsonl", "a.jsonl", "a.jsonl", "b.ndjson"]);
    let status = following.end().await;
    assert_eq!((status.events, status.refused, status.unread_bytes), (5, 0, 0));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_with_two_names_is_followed_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("run-5.jsonl"), line(1)).unwrap();
    std::os::unix::fs::symlink("run-5.jsonl", folder.path().join("latest.jsonl")).unwrap();
    fs::hard_link(
        folder.path().join("run-5.jsonl"),
        folder.path().join("same.jsonl"),
    )
    .unwrap();
    let following = follow_in(folder);
    following.until(1).await;
    following.append("run-5.jsonl", &line(2));
    assert_eq!(following.until(2).await, [1, 2]);
    // Several looks later there is nothing more.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(following.until(2).await, [1, 2]);
    following.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_damaged_is_named_with_its_line_and_what_is_not_recognised_is_kept() {
    let content = line(1) + "oops\n" + "{\"n\":2}\n" + "{\"type\":\"t\",\"da" + &line(3);
    let following = follow(&[("a.jsonl", content.as_bytes())]);
    assert_eq!(following.until(3).await, [1, 2, 3]);
    let seen = following.collector.seen();
    assert_eq!((&*seen[1].kind, &*seen[1].source), ("unrecognised", "a.jsonl"));
    let collector = Arc::clone(&following.collector);
    let note = tokio::task::spawn_blocking(move || collector.until_note("kymo.source.refused"));
    let records = note.await.unwrap().data["records"].clone();
    assert_eq!(records.as_array().unwrap().len(), 2);
    let first = (&records[0]["line"], &records[0]["code"], &records[0]["text"]);
    assert_eq!(first, (&2.into(), &"invalid_json".into(), &"oops".into()));
    assert_eq!(records[1]["line"], 4);
    let status = following.end().await;
    assert_eq!((status.events, status.refused, status.unrecognised), (3, 2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_other_side_does_not_take_now_is_handed_on_again_and_what_it_refuses_is_named() {
    let following = follow(&[]);
    following.collector.fail(1);
    following.collector.refuse("bad");
    following.append("a.jsonl", &(line(1) + "{\"type\":\"bad\"}\n" + &line(2)));
    assert_eq!(following.until(2).await, [1, 2]);
    let collector = Arc::clone(&following.collector);
    let note = tokio::task::spawn_blocking(move || collector.until_note("kymo.source.refused"));
    let data = note.await.unwrap().data;
    assert_eq!(
        (&data["records"][0]["line"], &data["records"][0]["code"]),
        (&2.into(), &"not_allowed".into())
    );
    following.end().await;
}

/// The ledgers of the public samples, through the files.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_of_the_sample_ledgers_comes_once() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures/resonance");
    let Ok(entries) = fs::read_dir(&folder) else {
        eprintln!("skipped: {} is not here", folder.display());
        return;
    };
    let files: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                fs::read(&path).unwrap(),
            )
        })
        .collect();
    let given: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(name, content)| (&**name, &**content))
        .collect();
    let expected: Vec<String> = files.iter().flat_map(|(_, content)| records(content)).collect();
    assert!(expected.len() > 20);
    let following = follow(&given);
    let collector = Arc::clone(&following.collector);
    let count = expected.len();
    let waiting = move || collector.until("all records", |seen| (seen.len() >= count).then(|| seen.to_vec()));
    let seen = tokio::task::spawn_blocking(waiting).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(following.collector.seen().len(), count, "nothing more comes");
    let mut kinds: Vec<String> = seen.into_iter().map(|event| event.kind).collect();
    let mut expected = expected;
    kinds.sort();
    expected.sort();
    assert_eq!(kinds, expected);
    following.end().await;
}

/// What is in a file, read at once.
fn records(content: &[u8]) -> Vec<String> {
    let mut salvage = Salvage::new(0, 1, Limits::default());
    salvage.room().extend_from_slice(content);
    let reading = FileRecords::new("test", b"", None, None);
    let mut kinds = Vec::new();
    salvage.take(true, &mut |found| {
        let event = found
            .record
            .and_then(|record| Ok(reading.read(record, found.at)?.kind.into_owned()));
        kinds.extend(event.ok());
    });
    kinds
}
