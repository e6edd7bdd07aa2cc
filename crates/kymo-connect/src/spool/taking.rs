//! Takes spools up: every line arrives, in order, once, or is kept and named.
//!
//! A claimed file is removed only when all its events are durable; until then a crash costs a second reading.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use kymo_event::{
    Event, Level, Limits, RawJson,
    dialects::{Dialect, Native},
};
use tokio_util::sync::CancellationToken;

use super::claims::{claim_all, writer_of};
use crate::{Outlet, Refused};

/// How long a writer that cannot lock may take between opening and closing.
pub(crate) const MOMENT: Duration = Duration::from_secs(1);

const BATCH_EVENTS: usize = 1_000;
const BATCH_BYTES: usize = 1 << 20;
/// A line beyond this is not read into memory.
const LINE_BYTES_MAX: u64 = 8 << 20;
/// So many refusals are named in the report; all are kept.
const NAMED_MAX: usize = 10;

/// Takes up `<data>/spool/*.jsonl` now and every so often: emits their events (ids make them once), then removes the
/// file. Lines that are refused are kept in `<data>/quarantine/` and reported as `kymo.spool.refused`.
pub async fn take_up_spools(
    spool: &Path,
    outlet: Arc<dyn Outlet>,
    every: Duration,
    shutdown: CancellationToken,
) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = sweep(spool, &*outlet) => {}
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
    }
}

/// Everything that is there now. All files are emitted first, so that one moment is waited for all of them.
async fn sweep(spool: &Path, outlet: &dyn Outlet) {
    let mut emitted = Vec::new();
    // Of one writer nothing overtakes what was written before.
    let mut waiting = HashSet::new();
    for claimed in claim_all(spool) {
        if waiting.contains(writer_of(&claimed)) {
            continue;
        }
        match Taking::open(&claimed, spool) {
            Ok(Some(mut taking)) => match taking.emit_lines(outlet, false).await {
                Ok(()) => emitted.push(taking),
                Err(error) => {
                    left_for_later(&claimed, &error);
                    break; // the other side is away; so it is for the next file
                }
            },
            Ok(None) => _ = waiting.insert(writer_of(&claimed).to_owned()), // still being written
            Err(error) => left_for_later(&claimed, &error),
        }
    }
    let Some(newest) = emitted.iter().map(|taking| taking.since).max() else {
        return;
    };
    tokio::time::sleep_until(newest + MOMENT).await;
    for taking in emitted {
        let path = taking.path.clone();
        if let Err(error) = taking.finish(outlet).await {
            left_for_later(&path, &error);
        }
    }
}

fn left_for_later(path: &Path, error: &io::Error) {
    tracing::warn!(path = %path.display(), %error, "spool is left for later");
}

/// A claimed file on its way in.
pub(super) struct Taking {
    path: PathBuf,
    /// Unique for ever: ids of lines without one are made of it.
    name: String,
    quarantine: PathBuf,
    reader: BufReader<File>,
    since: tokio::time::Instant,
    line: u64,
    taken: u64,
    refused: Vec<Kept>,
}

/// A line that was not taken: where it is and why.
struct Kept {
    line: u64,
    at: u64,
    bytes: u64,
    code: String,
    message: String,
}

/// A line as read: where it is, and the event or why there is none.
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) at: u64,
    pub(super) bytes: u64,
    pub(super) event: Result<Event<'static>, Refused>,
}

impl Taking {
    pub(super) fn open(path: &Path, spool: &Path) -> io::Result<Option<Self>> {
        let file = File::options().read(true).write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Ok(None),
            Err(fs::TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
        Ok(Some(Self {
            path: path.to_owned(),
            name: path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            quarantine: spool.parent().unwrap_or(spool).join("quarantine"),
            reader: BufReader::with_capacity(1 << 16, file),
            since: tokio::time::Instant::now(),
            line: 0,
            taken: 0,
            refused: Vec::new(),
        }))
    }

    /// What a late writer added, then away.
    async fn finish(mut self, outlet: &dyn Outlet) -> io::Result<()> {
        self.emit_lines(outlet, true).await?;
        self.keep_refused()?;
        fs::remove_file(&self.path)?;
        self.report(outlet);
        Ok(())
    }

    /// Emits whole lines up to the end; `last` takes an unfinished line as one.
    async fn emit_lines(&mut self, outlet: &dyn Outlet, last: bool) -> io::Result<()> {
        loop {
            let (lines, ended) = self.read_batch(last)?;
            self.emit_batch(lines, outlet).await?;
            if ended {
                return Ok(());
            }
        }
    }

    async fn emit_batch(&mut self, lines: Vec<Line>, outlet: &dyn Outlet) -> io::Result<()> {
        let (mut events, mut places) = (Vec::new(), Vec::new());
        for line in lines {
            let place = (line.number, line.at, line.bytes);
            match line.event {
                Ok(event) => {
                    events.push(event);
                    places.push(place);
                }
                Err(refused) => self.keep(place, refused),
            }
        }
        if events.is_empty() {
            return Ok(());
        }
        self.taken += events.len() as u64;
        let refused = outlet.emit_each(events).await.map_err(io::Error::other)?.refused;
        self.taken -= refused.len() as u64;
        for one in refused {
            self.keep(places[one.index], one);
        }
        Ok(())
    }

    fn keep(&mut self, (line, at, bytes): (u64, u64, u64), refused: Refused) {
        let Refused { code, message, .. } = refused;
        self.refused.push(Kept {
            line,
            at,
            bytes,
            code,
            message,
        });
    }

    /// Some lines, blank ones left out, and whether they were the last.
    pub(super) fn read_batch(&mut self, last: bool) -> io::Result<(Vec<Line>, bool)> {
        let (mut lines, mut bytes) = (Vec::new(), 0);
        while lines.len() < BATCH_EVENTS && bytes < BATCH_BYTES {
            let Some((text, at, length)) = self.read_line(last)? else {
                return Ok((lines, true));
            };
            self.line += 1;
            bytes += text.len();
            if !text.trim_ascii().is_empty() {
                let event = if length > LINE_BYTES_MAX {
                    Err(too_long(length))
                } else {
                    self.parse(&text)
                };
                lines.push(Line {
                    number: self.line,
                    at,
                    bytes: length,
                    event,
                });
            }
        }
        Ok((lines, false))
    }

    /// The next line, where it begins and how long it is; of an overlong one only the beginning.
    fn read_line(&mut self, last: bool) -> io::Result<Option<(Vec<u8>, u64, u64)>> {
        let at = self.reader.stream_position()?;
        let mut text = Vec::new();
        let mut length = (&mut self.reader)
            .take(LINE_BYTES_MAX + 1)
            .read_until(b'\n', &mut text)? as u64;
        let mut ended = text.last() == Some(&b'\n');
        if !ended && length > LINE_BYTES_MAX {
            (length, ended) = skip_line(&mut self.reader, length)?;
        }
        if length == 0 {
            return Ok(None);
        }
        if !ended && !last {
            self.reader.seek(SeekFrom::Start(at))?;
            return Ok(None);
        }
        Ok(Some((text, at, length)))
    }

    fn parse(&self, text: &[u8]) -> Result<Event<'static>, Refused> {
        let limits = Limits::default();
        let text = std::str::from_utf8(text).map_err(|error| Refused {
            index: 0,
            code: "invalid_utf8".into(),
            message: format!("the line is not UTF-8: {error}"),
        })?;
        let read = RawJson::parse(
            text.trim_matches([' ', '\t', '\r', '\n', '\u{feff}']),
            limits.nesting_max,
        )
        .and_then(|record| Native.read(record, &limits));
        let mut event = match read {
            Ok(event) => event.into_owned(),
            Err(refusal) => {
                return Err(Refused {
                    index: 0,
                    code: refusal.code.into(),
                    message: refusal.message,
                });
            }
        };
        if event.id.is_none() {
            event.id = Some(format!("{}:{}", self.name, self.line).into());
        }
        Ok(event)
    }

    /// Written anew each time, so that a second reading keeps nothing twice.
    fn keep_refused(&mut self) -> io::Result<()> {
        if self.refused.is_empty() {
            return Ok(());
        }
        fs::create_dir_all(&self.quarantine)?;
        let mut kept = File::create(self.quarantine_path())?;
        let file = self.reader.get_mut();
        for line in &self.refused {
            file.seek(SeekFrom::Start(line.at))?;
            io::copy(&mut (&mut *file).take(line.bytes), &mut kept)?;
        }
        kept.flush()?;
        kept.sync_all()
    }

    fn quarantine_path(&self) -> PathBuf {
        self.quarantine.join(format!("spool-{}.jsonl", self.name))
    }

    fn report(&self, outlet: &dyn Outlet) {
        if self.taken > 0 {
            let data =
                serde_json::json!({"file": self.name, "events": self.taken, "refused": self.refused.len()});
            outlet.note(note("kymo.spool.taken", Level::Info, &data));
        }
        if !self.refused.is_empty() {
            let named = |kept: &Kept| serde_json::json!({"line": kept.line, "code": kept.code, "message": kept.message});
            let data = serde_json::json!({
                "file": self.name,
                "refused": self.refused.len(),
                "lines": self.refused.iter().take(NAMED_MAX).map(named).collect::<Vec<_>>(),
                "kept": self.quarantine_path().display().to_string(),
            });
            outlet.note(note("kymo.spool.refused", Level::Warn, &data));
        }
    }
}

/// Passes over the rest of a line; how long the line is with what was read before, and whether it ended.
fn skip_line(reader: &mut impl BufRead, mut length: u64) -> io::Result<(u64, bool)> {
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok((length, false));
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(buffer.len(), |end| end + 1);
        reader.consume(used);
        length += used as u64;
        if end.is_some() {
            return Ok((length, true));
        }
    }
}

fn too_long(length: u64) -> Refused {
    Refused {
        index: 0,
        code: "event_too_large".into(),
        message: format!("the line is {length} bytes, above the {LINE_BYTES_MAX} a spool line may have"),
    }
}

fn note(kind: &'static str, level: Level, data: &serde_json::Value) -> Event<'static> {
    let mut event = Event::new(kind, "kymo");
    event.level = level;
    event.data = Some(data.to_string().into());
    event
}
