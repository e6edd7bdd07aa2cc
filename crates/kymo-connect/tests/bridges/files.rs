//! The file sink: what stands in the file, whatever happens to it and to us.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use kymo_connect::{
    Bridges, BridgesSettings, DialectName, FileSink, SinkSettings, SourceSettings, TailSettings, sink::Begin,
};
use kymo_event::{Event, dialects};
use kymo_hub::{BridgeState, Direction};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use crate::rig::{Station, wait_for};

/// Bridges on threads of their own, so that they can be ended as a kill would.
struct Running {
    end: CancellationToken,
    bridges: Bridges,
    runtime: Runtime,
}

impl Running {
    async fn stop(self) {
        self.end.cancel();
        self.bridges.finished().await;
        self.runtime.shutdown_background();
    }

    /// Nothing more is done from here on, wherever it was; but for what a thread has begun, since threads cannot be killed.
    async fn kill(self) {
        self.runtime.shutdown_background();
        wait_for("the end of the sinks' threads", async || {
            let tasks = fs::read_dir("/proc/self/task").expect("threads");
            let mut names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
            (!names.any(|name| name.starts_with("kymo-file-sink"))).then_some(())
        })
        .await;
    }
}

fn run(station: &Station, sinks: BTreeMap<String, FileSink>, tail: Option<&Path>) -> Running {
    let follow = |path: &Path| {
        let settings = TailSettings {
            paths: vec![path.display().to_string()],
            sweep_ms: 10,
            ..TailSettings::default()
        };
        ("in".to_owned(), SourceSettings::Tail(settings))
    };
    let settings = BridgesSettings {
        sources: tail.into_iter().map(follow).collect(),
        sinks: sinks
            .into_iter()
            .map(|(name, sink)| (name, SinkSettings::File(sink)))
            .collect(),
    };
    assert_eq!(settings.problem(), None);
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("threads");
    let end = CancellationToken::new();
    let entered = runtime.enter();
    let bridges = Bridges::start(&settings, &station.hub, station.data.path(), &end);
    drop(entered);
    Running {
        end,
        bridges,
        runtime,
    }
}

fn to(path: &Path) -> FileSink {
    FileSink {
        path: path.display().to_string(),
        filter: "type:a".into(),
        begin: Begin::Start,
        ..FileSink::default()
    }
}

fn one(sink: FileSink) -> BTreeMap<String, FileSink> {
    [("out".to_owned(), sink)].into()
}

/// The numbers in the events of a file; lines of others are left out, also where they were put behind a line that a
/// kill had cut.
fn numbers(path: &Path) -> Vec<u64> {
    let text = fs::read_to_string(path).unwrap_or_default();
    assert!(
        text.is_empty() || text.ends_with('\n'),
        "the last line is cut: {text:?}"
    );
    let lines = text
        .lines()
        .filter(|line| line.starts_with('{') && !line.ends_with("else"));
    let number = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        line["data"].as_u64().expect("a number")
    };
    lines.map(number).collect()
}

async fn written(path: &Path, count: usize) {
    wait_for("the lines", async || {
        let text = fs::read_to_string(path).unwrap_or_default();
        (text.ends_with('\n') && numbers(path).len() >= count).then_some(())
    })
    .await;
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).open(path).expect("there");
    file.write_all(text.as_bytes()).expect("written");
}

async fn faulty(station: &Station, code: &str) -> String {
    wait_for(code, async || {
        let infos = station.hub.bridges().infos();
        let mut errors = infos.into_iter().filter_map(|info| info.last_error);
        let error = errors.find(|error| error.fault.code == code)?;
        Some(error.fault.message)
    })
    .await
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.jsonl");
    (folder, path)
}

#[tokio::test]
async fn what_matches_is_written_line_by_line_as_it_stands_in_the_ledger() {
    let (_folder, path) = folder();
    let station = Station::new();
    station.emit("a", 0..10).await;
    station.emit("b", 0..10).await;
    let running = run(&station, one(to(&path)), None);
    station.emit("a", 10..20).await;
    written(&path, 20).await;
    running.stop().await;
    let stored = station.stored("type:a").await;
    let text = fs::read_to_string(&path).expect("there");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines, stored);
    let info = station.bridge();
    assert_eq!((info.kind, info.direction), ("file", Direction::Sink));
    assert_eq!(info.counts.events, 20);
    assert_eq!(info.target, path.display().to_string());
}

#[tokio::test]
async fn it_is_written_in_every_dialect_a_record_a_line() {
    let (folder, _) = folder();
    let station = Station::new();
    let mut event = Event::new("a", "somebody");
    event.data = Some("{\"text\":\"two\\nlines\"}".into());
    station.emit_events([event].into_iter()).await;
    let sinks = dialects::DIALECTS.iter().map(|dialect| {
        let name = dialect.name();
        let sink = FileSink {
            dialect: DialectName::try_from(name.to_owned()).expect("it exists"),
            ..to(&folder.path().join(name))
        };
        (name.to_owned(), sink)
    });
    let running = run(&station, sinks.collect(), None);
    for dialect in dialects::DIALECTS {
        let path = folder.path().join(dialect.name());
        let text = wait_for("a line", async || {
            fs::read_to_string(&path).ok().filter(|text| text.ends_with('\n'))
        })
        .await;
        assert_eq!(text.lines().count(), 1, "{text}");
        let record = kymo_event::RawJson::parse(text.trim_end(), 64).expect("JSON");
        let read = dialect
            .read(record, &kymo_event::Limits::default())
            .unwrap_or_else(|refusal| panic!("{}: {refusal:?}: {text}", dialect.name()));
        assert!(text.contains("two\\nlines"), "{}: {text}", dialect.name());
        assert_eq!(read.kind, "a", "{}: {text}", dialect.name());
    }
    running.stop().await;
}

/// Whatever is done to us and to the file, every event is there once, in order, over all files there ever were.
#[tokio::test]
async fn every_event_is_written_once_over_kills_rotations_and_lines_of_others() {
    for seed in 0..12 {
        let (folder, path) = folder();
        let station = Station::new();
        let mut random = Random(seed);
        let mut files: Vec<PathBuf> = Vec::new();
        let mut emitted = 0;
        let mut running = Some(run(&station, one(to(&path)), None));
        for _ in 0..12 {
            let more = random.below(400);
            station.emit("a", emitted..emitted + more).await;
            emitted += more;
            if random.below(2) == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(random.below(8) as u64)).await;
            }
            match random.below(6) {
                0 => running.take().expect("it runs").kill().await,
                1 => running.take().expect("it runs").stop().await,
                // Only who runs notices that a file was moved: what it wrote since its last mark is in none else.
                2 if path.exists() => {
                    let total: usize = files.iter().map(|file| numbers(file).len()).sum();
                    wait_for("all lines", async || {
                        let text = fs::read_to_string(&path).unwrap_or_default();
                        (text.is_empty() || text.ends_with('\n')).then_some(())?;
                        (total + numbers(&path).len() == emitted).then_some(())
                    })
                    .await;
                    let old = folder.path().join(format!("events.jsonl.{}", files.len()));
                    fs::rename(&path, &old).expect("moved");
                    if random.below(2) == 0 {
                        fs::write(&path, "").expect("made anew by who rotates");
                    }
                    files.push(old);
                    let more = random.below(50) + 1;
                    station.emit("a", emitted..emitted + more).await;
                    emitted += more;
                    written(&path, 1).await;
                }
                3 if path.exists() => append(&path, "somebody else\n"),
                // Killed within a line.
                4 if path.exists() => {
                    running.take().expect("it runs").kill().await;
                    wait_for("quiet", async || {
                        let before = fs::metadata(&path).ok()?.len();
                        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
                        (fs::metadata(&path).ok()?.len() == before).then_some(())
                    })
                    .await;
                    let others = fs::read_to_string(&path).expect("there").contains("else");
                    if !others {
                        let length = fs::metadata(&path).expect("there").len();
                        let kept = kept_length(&station);
                        let cut = length.saturating_sub(random.below(500) as u64).max(kept);
                        OpenOptions::new()
                            .write(true)
                            .open(&path)
                            .expect("there")
                            .set_len(cut)
                            .expect("cut");
                    }
                }
                _ => {}
            }
            if running.is_none() {
                running = Some(run(&station, one(to(&path)), None));
            }
        }
        let last = running.take().expect("it runs");
        wait_for("all of them", async || {
            (station.bridge().lag_events == Some(0)).then_some(())
        })
        .await;
        last.stop().await;
        files.push(path);
        let all: Vec<u64> = files.iter().flat_map(|file| numbers(file)).collect();
        let jumps: Vec<_> = all.windows(2).filter(|two| two[1] != two[0] + 1).collect();
        assert!(
            jumps.is_empty() && all.len() == emitted,
            "seed {seed}: {} of {emitted} {jumps:?} {files:?}",
            all.len()
        );
    }
}

/// What is synced stays; what came after it may be cut by a crash of the machine.
fn kept_length(station: &Station) -> u64 {
    let path = station.data.path().join("cursors/other-side-out.json");
    let mark: Value = fs::read(path)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default();
    mark["length"].as_u64().unwrap_or(0)
}

#[tokio::test]
async fn a_file_that_is_copied_and_emptied_goes_on_from_its_beginning() {
    let (folder, path) = folder();
    let station = Station::new();
    let running = run(&station, one(to(&path)), None);
    station.emit("a", 0..100).await;
    written(&path, 100).await;
    let old = folder.path().join("old");
    fs::copy(&path, &old).expect("copied");
    OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(&path)
        .expect("emptied");
    station.emit("a", 100..110).await;
    written(&path, 10).await;
    running.kill().await;
    let running = run(&station, one(to(&path)), None);
    station.emit("a", 110..120).await;
    written(&path, 20).await;
    running.stop().await;
    assert_eq!(numbers(&old).len(), 100);
    assert_eq!(numbers(&path), (100..120).collect::<Vec<_>>());
}

#[tokio::test]
async fn lines_that_were_there_stay_and_a_cut_one_is_ended_first() {
    let (_folder, path) = folder();
    fs::write(&path, "# kept\n# cut").expect("written");
    let station = Station::new();
    station.emit("a", 0..3).await;
    let running = run(&station, one(to(&path)), None);
    written(&path, 3).await;
    append(&path, "# of somebody else, cut");
    station.emit("a", 3..6).await;
    written(&path, 6).await;
    running.stop().await;
    let text = fs::read_to_string(&path).expect("there");
    let others: Vec<_> = text.lines().filter(|line| line.starts_with('#')).collect();
    assert_eq!(others, ["# kept", "# cut", "# of somebody else, cut"]);
    assert_eq!(numbers(&path), (0..6).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_cannot_be_written_waits_and_says_what_to_do() {
    let (folder, _) = folder();
    let path = folder.path().join("later/events.jsonl");
    let station = Station::new();
    station.emit("a", 0..10).await;
    let running = run(&station, one(to(&path)), None);
    let message = faulty(&station, "file_unwritable").await;
    assert!(message.contains("make the folder"), "{message}");
    assert_eq!(station.bridge().state, BridgeState::Waiting);
    fs::create_dir(path.parent().expect("a folder")).expect("made");
    written(&path, 10).await;
    running.stop().await;
    assert_eq!(numbers(&path), (0..10).collect::<Vec<_>>());
}

#[tokio::test]
#[cfg(unix)]
async fn a_folder_a_pipe_and_the_own_data_folder_are_not_written_to() {
    let (folder, _) = folder();
    let station = Station::new();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(station.data.path(), &link).expect("linked");
    for (path, said) in [
        (folder.path().to_owned(), "no file"),
        (pipe, "no file"),
        (link.join("events.jsonl"), "data folder"),
    ] {
        let running = run(&station, one(to(&path)), None);
        wait_for(said, async || {
            let fault = station.hub.bridges().infos().pop()?.last_error?.fault;
            (fault.code == "no_log_file" && fault.message.contains(said)).then_some(())
        })
        .await;
        assert!(!station.data.path().join("events.jsonl").exists());
        running.stop().await;
    }
}

#[tokio::test]
async fn two_sinks_may_write_one_file() {
    let (_folder, path) = folder();
    let station = Station::new();
    station.emit("a", 0..500).await;
    let other = FileSink {
        filter: "type:b".into(),
        ..to(&path)
    };
    let sinks = [("one".to_owned(), to(&path)), ("other".to_owned(), other)];
    let running = run(&station, sinks.into(), None);
    station.emit("b", 1_000..1_500).await;
    station.emit("a", 500..600).await;
    written(&path, 1_100).await;
    running.stop().await;
    let mut all = numbers(&path);
    assert_eq!(
        all.iter()
            .filter(|number| **number < 1_000)
            .copied()
            .collect::<Vec<_>>(),
        (0..600).collect::<Vec<_>>(),
        "each in its order"
    );
    all.sort_unstable();
    assert_eq!(all, (0..600).chain(1_000..1_500).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_tail_of_the_folder_leaves_out_what_our_own_sinks_write() {
    let (folder, path) = folder();
    let station = Station::new();
    let sink = FileSink {
        filter: "-type:kymo.*".into(),
        // What is there at the tail's first look counts as the past.
        backfill: true,
        ..to(&path)
    };
    let running = run(&station, one(sink), Some(folder.path()));
    station.emit("a", 0..10).await;
    let other = folder.path().join("other.jsonl");
    fs::write(&other, "{\"type\":\"b\",\"data\":1}\n").expect("written");
    written(&path, 11).await;
    fs::write(
        &other,
        "{\"type\":\"b\",\"data\":1}\n{\"type\":\"b\",\"data\":2}\n",
    )
    .expect("written");
    written(&path, 12).await;
    // Rotation gives it another name, and makes it no other's.
    fs::rename(&path, folder.path().join("events-20260101.jsonl")).expect("moved");
    fs::write(
        &other,
        "{\"type\":\"b\",\"data\":1}\n{\"type\":\"b\",\"data\":2}\n{\"type\":\"b\",\"data\":3}\n",
    )
    .expect("written");
    written(&path, 1).await;
    running.stop().await;
    assert_eq!(station.stored("-type:kymo.*").await.len(), 13);
}

#[tokio::test]
async fn a_new_sink_of_an_old_name_writes_everything_it_is_asked_for() {
    let (folder, path) = folder();
    let station = Station::new();
    station.emit("a", 0..10).await;
    let running = run(&station, one(to(&path)), None);
    written(&path, 10).await;
    running.stop().await;
    fs::remove_file(station.data.path().join("cursors/sink-out.json")).expect("removed");
    let other = folder.path().join("other.jsonl");
    let running = run(&station, one(to(&other)), None);
    written(&other, 10).await;
    running.stop().await;
    assert_eq!(numbers(&other), (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_place_that_cannot_be_noted_is_said_and_nothing_is_lost() {
    let (_folder, path) = folder();
    let station = Station::new();
    // Nothing can be made below a file.
    fs::write(station.data.path().join("cursors"), "").expect("written");
    let running = run(&station, one(to(&path)), None);
    station.emit("a", 0..10).await;
    let infos = || station.hub.bridges().infos();
    wait_for("the fault", async || {
        infos().iter().any(|info| info.last_error.is_some()).then_some(())
    })
    .await;
    running.stop().await;
    fs::remove_file(station.data.path().join("cursors")).expect("removed");
    let running = run(&station, one(to(&path)), None);
    written(&path, 10).await;
    running.stop().await;
    let mut all = numbers(&path);
    all.dedup();
    assert_eq!(all, (0..10).collect::<Vec<_>>());
}

/// Numbers that are the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("it fits") % end
    }
}
