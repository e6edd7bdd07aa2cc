//! Turns what a command does into events and hands them over beside it, without ever making it wait.
use std::{
    borrow::Cow,
    ffi::OsString,
    process::ExitStatus,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use kymo_event::{Event, Level};
use serde_json::{Value, json};

use super::pass::Carried;
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
/// Records of one hand-over.
const RECORDS_MAX: usize = 500;

/// Which stream a line came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

/// How a command ended.
pub(super) struct Outcome {
    pub(super) status: ExitStatus,
    pub(super) took: Duration,
    pub(super) stdout: Carried,
    pub(super) stderr: Carried,
}

/// Makes events and queues them for a thread of its own.
pub(super) struct Recorder {
    frame: Frame,
    settings: RunSettings,
    queue: Mutex<Option<Sender<String>>>,
    waiting: Arc<AtomicUsize>,
    /// Lines that found no room.
    left_out: AtomicU64,
    worker: JoinHandle<Option<Failure>>,
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
        let environment = environment(place, outbox.as_ref().ok());
        let waiting = Arc::new(AtomicUsize::new(0));
        let (sender, receiver) = channel();
        let worker = std::thread::spawn({
            let waiting = Arc::clone(&waiting);
            move || hand_over(outbox, &receiver, &waiting)
        });
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
            settings,
            queue: Mutex::new(Some(sender)),
            waiting,
            left_out: AtomicU64::new(0),
            worker,
            environment,
        })
    }

    /// What the command should find in its environment, so that `kymo` inside it finds the same hub.
    pub(super) fn environment(&self) -> impl Iterator<Item = (&'static str, OsString)> + '_ {
        self.environment.iter().cloned()
    }

    pub(super) fn line_bytes_max(&self) -> usize {
        self.settings.line_bytes_max
    }

    pub(super) fn started(&self, pid: u32) {
        let here = std::env::current_dir().unwrap_or_default();
        self.queue(self.frame.record(
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
        self.queue(self.frame.record(
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
    pub(super) fn output(&self, stream: Stream, line: Line) {
        if self.waiting.load(Ordering::Relaxed) + line.bytes.len() > self.settings.queue_bytes_max {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.queue(
            self.frame
                .record("process.output", Level::Info, &output_data(stream, &line)),
        );
    }

    pub(super) fn exited(&self, outcome: &Outcome) {
        let good = outcome.status.success();
        let mut data = json!({
            "command": self.frame.command,
            "exit_code": outcome.status.code(),
            "duration_ms": u64::try_from(outcome.took.as_millis()).unwrap_or(u64::MAX),
            "lines": { "stdout": outcome.stdout.lines, "stderr": outcome.stderr.lines },
            "bytes": { "stdout": outcome.stdout.bytes, "stderr": outcome.stderr.bytes },
        });
        #[cfg(unix)]
        if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&outcome.status) {
            data["signal"] = signal.into();
        }
        let left_out = self.left_out.load(Ordering::Relaxed);
        if left_out > 0 {
            data["lines_left_out"] = left_out.into();
        }
        self.queue(self.frame.record(
            "process.exited",
            if good { Level::Info } else { Level::Error },
            &data,
        ));
    }

    /// Waits until the last record is handed over or on disk.
    pub(super) fn finish(self) {
        self.queue.lock().expect("nobody panics while holding it").take();
        let left_out = self.left_out.load(Ordering::Relaxed);
        if left_out > 0 {
            note(format!(
                "{left_out} lines of output came faster than they could be recorded; they are counted, not kept"
            ));
        }
        if let Ok(Some(failure)) = self.worker.join() {
            note(format!("not everything was recorded: {failure}"));
        }
    }

    fn queue(&self, record: String) {
        self.waiting.fetch_add(record.len(), Ordering::Relaxed);
        if let Some(queue) = &*self.queue.lock().expect("nobody panics while holding it") {
            // The other end lives until the queue is taken away in `finish`.
            let _ = queue.send(record);
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

/// The worker: everything that waits goes together. After a failure the rest is only counted down, so that the
/// command is not held up.
fn hand_over(
    outbox: Result<Outbox, Failure>,
    queue: &Receiver<String>,
    waiting: &AtomicUsize,
) -> Option<Failure> {
    let (mut outbox, mut failed) = match outbox {
        Ok(outbox) => (Some(outbox), None),
        Err(failure) => (None, Some(failure)),
    };
    while let Ok(first) = queue.recv() {
        let records: Vec<String> = std::iter::once(first)
            .chain(queue.try_iter().take(RECORDS_MAX - 1))
            .collect();
        if let Some(outbox) = outbox.as_mut().filter(|_| failed.is_none()) {
            failed = outbox.deliver(&records).err();
        }
        waiting.fetch_sub(records.iter().map(String::len).sum(), Ordering::Relaxed);
    }
    failed
}

fn environment(place: &Where, outbox: Option<&Outbox>) -> Vec<(&'static str, OsString)> {
    let mut variables = Vec::new();
    if let Ok(data) = crate::find::data_folder(place.data.as_deref()) {
        variables.push(("KYMO_DATA", data.into_os_string()));
    }
    if let Some(url) = outbox.and_then(Outbox::url) {
        variables.push(("KYMO_URL", url.into()));
    }
    if let Some(token) = &place.token {
        variables.push(("KYMO_TOKEN", token.into()));
    }
    variables
}
