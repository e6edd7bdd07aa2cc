//! Turns what a command does into events and hands them over beside it, without ever making it wait.
use std::{borrow::Cow, ffi::OsString, process::ExitStatus, time::Duration};

use kymo_event::{Event, Level};
use serde_json::{Value, json};

use super::{pass::Carried, queue::Queue};
use crate::{
    failure::{Failure, Kind},
    find::Where,
    labels::Labels,
    moment::now,
    native,
    outbox::Outbox,
    printer::note,
    settings::RunSettings,
    tap::Line,
};

/// A server that takes longer counts as away; everything then waits on disk.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the end of a command waits for what came before it, so that it can say what is missing.
const SETTLE: Duration = Duration::from_secs(10);

/// Which stream a line came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

/// How a command ended.
pub(super) struct Outcome<'a> {
    pub(super) status: ExitStatus,
    pub(super) took: Duration,
    pub(super) stdout: &'a Carried,
    pub(super) stderr: &'a Carried,
}

/// Makes events and queues them.
pub(super) struct Recorder {
    frame: Frame,
    queue: Queue,
    line_bytes_max: usize,
    environment: Vec<(&'static str, OsString)>,
}

/// What all events of one run share.
struct Frame {
    labels: Labels,
    span: String,
    command: String,
    argv: Vec<String>,
}

impl Recorder {
    pub(super) fn start(
        place: &Where,
        labels: &Labels,
        span: &str,
        command: &[OsString],
        settings: RunSettings,
    ) -> Result<Self, Failure> {
        // A mistake in the arguments is told; anything else must not keep the command from running.
        let outbox = match Outbox::open(place, PATIENCE) {
            Err(failure) if failure.kind == Kind::Usage => return Err(failure),
            outbox => outbox,
        };
        let environment = environment(place);
        let again = place.clone();
        let queue = Queue::start(
            outbox,
            move || Outbox::open(&again, PATIENCE),
            settings.queue_bytes_max,
        );
        let argv: Vec<String> = command
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        let frame = Frame {
            labels: labels.clone(),
            span: span.to_owned(),
            command: argv.join(" "),
            argv,
        };
        Ok(Self {
            frame,
            queue,
            line_bytes_max: settings.line_bytes_max,
            environment,
        })
    }

    /// What the command should find in its environment, so that `kymo` inside it finds the same hub.
    pub(super) fn environment(&self) -> impl Iterator<Item = (&'static str, OsString)> + '_ {
        self.environment.iter().cloned()
    }

    pub(super) fn line_bytes_max(&self) -> usize {
        self.line_bytes_max
    }

    pub(super) fn started(&self, pid: u32) {
        let here = std::env::current_dir().unwrap_or_default();
        self.queue.put(self.frame.record(
            "process.started",
            Level::Info,
            &json!({
                "command": self.frame.command,
                "argv": self.frame.argv,
                "cwd": here.to_string_lossy(),
                "pid": pid,
            }),
        ));
    }

    pub(super) fn not_started(&self, cause: &std::io::Error) {
        self.queue.put(self.frame.record(
            "process.failed",
            Level::Error,
            &json!({
                "command": self.frame.command,
                "argv": self.frame.argv,
                "message": format!("could not be started: {cause}"),
            }),
        ));
    }

    /// One line of output. Never waits: a line that finds no room is counted.
    pub(super) fn output(&self, stream: Stream, line: &Line) {
        self.queue.offer(
            self.frame
                .record("process.output", Level::Info, &output_data(stream, line)),
        );
    }

    pub(super) fn exited(&self, outcome: &Outcome<'_>) {
        let good = outcome.status.success();
        let mut data = json!({
            "command": self.frame.command,
            "exit_code": outcome.status.code(),
            "duration_ms": u64::try_from(outcome.took.as_millis()).unwrap_or(u64::MAX),
            "lines": { "stdout": count(&outcome.stdout.lines), "stderr": count(&outcome.stderr.lines) },
            "bytes": { "stdout": count(&outcome.stdout.bytes), "stderr": count(&outcome.stderr.bytes) },
        });
        #[cfg(unix)]
        if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&outcome.status) {
            data["signal"] = signal.into();
        }
        self.queue.settle(SETTLE);
        let missing = self.queue.missing();
        for (name, count) in [
            ("lines_left_out", missing.no_room),
            ("events_lost", missing.lost),
            ("events_refused", missing.refused),
        ] {
            if count > 0 {
                data[name] = count.into();
            }
        }
        self.queue.put(self.frame.record(
            "process.exited",
            if good { Level::Info } else { Level::Error },
            &data,
        ));
    }

    /// Waits until what is recorded so far is handed over or on disk.
    pub(super) fn settle(&self) {
        self.queue.settle(SETTLE);
    }

    /// Waits until the last record is handed over or on disk, and says what is not.
    pub(super) fn finish(self) {
        let missing = self.queue.finish();
        let why = missing.why.unwrap_or_default();
        if missing.no_room > 0 {
            note(format!(
                "{} lines of output came faster than they could be recorded",
                missing.no_room
            ));
        }
        if missing.refused > 0 {
            note(format!("{} events were refused: {why}", missing.refused));
        }
        if missing.lost > 0 {
            note(format!(
                "not everything was recorded, {} events are lost: {why}",
                missing.lost
            ));
        }
    }
}

impl Frame {
    fn record(&self, kind: &str, level: Level, data: &Value) -> String {
        let mut event = Event::new(kind, self.labels.source_or("run"));
        event.level = level;
        event.time = Some(now());
        event.span = Some(Cow::Borrowed(&self.span));
        event.data = Some(data.to_string().into());
        self.labels.fill(&mut event);
        native::make_sendable(&mut event);
        native::json(&event)
    }
}

fn output_data(stream: Stream, line: &Line) -> Value {
    let text = String::from_utf8_lossy(&line.bytes);
    let stream = match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    };
    let mut data = json!({ "stream": stream, "line": line.number, "text": text });
    if line.cut > 0 {
        data["cut"] = line.cut.into();
    } else if matches!(text, Cow::Owned(_)) {
        data["lossy"] = true.into();
    }
    data
}

fn count(of: &std::sync::atomic::AtomicU64) -> u64 {
    of.load(std::sync::atomic::Ordering::Relaxed)
}

/// A server that was named is named to the command, too. One that was found is not: it may stop and come back at
/// another address, and the folder finds it there.
fn environment(place: &Where) -> Vec<(&'static str, OsString)> {
    let mut variables = Vec::new();
    if let Ok(data) = crate::find::data_folder(place.data.as_deref()) {
        variables.push(("KYMO_DATA", data.into_os_string()));
    }
    if let Some(url) = place.url() {
        variables.push(("KYMO_URL", url.into()));
    }
    if let Some(token) = &place.token {
        variables.push(("KYMO_TOKEN", token.into()));
    }
    variables
}
