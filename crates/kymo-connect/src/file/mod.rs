//! The file sink: events as lines of a file, for `tail -f … | grep` and for programs that read such files.
//!
//! Lines are only ever appended, whole, and each once: the file's own length is the place ([`log`]). What was written
//! counts as delivered; it is synced, and the length noted, right before the sink's place is. Whoever rotates the file,
//! by moving it away or by emptying it, is noticed with the next batch.

mod log;
mod settings;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use kymo_event::{LedgerId, Seq, dialects::Dialect};
use kymo_hub::{BridgeAbout, BridgeFault, Direction, Hub};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use self::log::Log;
pub use self::settings::FileSink;
pub(crate) use self::settings::resolved;
use crate::{
    Cursors,
    sink::{Batch, Refused, Sink, SinkFault, SinkPlan, run_sink},
};

const KIND: &str = "file";
/// The dialect of the ledger's own lines.
const NATIVE: &str = "kymo";

/// Runs a sink until shutdown. Below `data` it writes nothing.
pub(crate) async fn run_file_sink(
    name: String,
    settings: FileSink,
    data: PathBuf,
    hub: Hub,
    cursors: Cursors,
    end: CancellationToken,
) {
    let path = settings.file().expect("judged with the settings");
    let ledger = hub.ledger().id();
    let plan = SinkPlan {
        about: BridgeAbout {
            target: path.display().to_string(),
            kind: KIND,
            direction: Direction::Sink,
            name: name.clone(),
        },
        selection: settings.selection(),
    };
    let dialect = settings.dialect.dialect();
    let sink = Writer {
        log: Arc::new(Mutex::new(Log::new(
            path,
            cursors.beside_sink(&name),
            ledger.clone(),
        ))),
        dialect: Some(dialect).filter(|dialect| dialect.name() != NATIVE),
        ledger,
        data,
    };
    run_sink(sink, plan, hub, &cursors, end).await;
}

struct Writer {
    /// Held by one batch at a time, also by one that nobody waits for any more.
    log: Arc<Mutex<Log>>,
    dialect: Option<&'static dyn Dialect>,
    ledger: LedgerId,
    /// Where nothing is written.
    data: PathBuf,
}

impl Writer {
    /// The lines of what comes at `from` or later.
    fn lines(&self, batch: &Batch, from: Seq) -> Vec<u8> {
        let mut lines = Vec::with_capacity(batch.bytes());
        for item in batch.iter().filter(|item| item.view.seq() >= from) {
            match self.dialect {
                None => lines.extend_from_slice(item.view.line()),
                Some(dialect) => dialect.write(&item.view, &self.ledger, &mut lines),
            }
            lines.push(b'\n');
        }
        lines
    }

    /// Works with the file where waiting for a disk holds up nobody.
    async fn with_log<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Log) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let log = Arc::clone(&self.log);
        let working = spawn_blocking(move || work(&mut log.lock().unwrap_or_else(PoisonError::into_inner)));
        working.await.map_err(io::Error::other)?
    }
}

impl Sink for Writer {
    async fn connect(&mut self) -> Result<(), BridgeFault> {
        let data = self.data.clone();
        let opened = self.with_log(move |log| {
            if is_below(log.path(), &data) {
                let message = "it lies in Kymo's own data folder: write it elsewhere";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            }
            log.open()
        });
        opened.await.map_err(|error| fault(&error))
    }

    async fn deliver(&mut self, batch: &Batch) -> Result<Vec<Refused>, SinkFault> {
        let next = self.log.lock().unwrap_or_else(PoisonError::into_inner).next();
        let lines = self.lines(batch, next);
        let (Some(first), Some(last)) = (batch.iter().next(), batch.iter().last()) else {
            return Ok(Vec::new());
        };
        let (first, last) = (first.view.seq().max(next), last.view.seq());
        if last < next {
            return Ok(Vec::new());
        }
        let written = self.with_log(move |log| log.append(first, &lines)).await;
        match written {
            Ok(end) => {
                let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
                log.delivered(last.next(), end);
                Ok(Vec::new())
            }
            Err(error) if is_full(&error) => Err(SinkFault::Refused(fault(&error))),
            Err(error) => Err(SinkFault::Lost(fault(&error))),
        }
    }

    async fn keep(&mut self) -> io::Result<()> {
        self.with_log(Log::keep).await
    }
}

fn is_below(path: &Path, folder: &Path) -> bool {
    resolved(path).starts_with(resolved(folder))
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

fn fault(error: &io::Error) -> BridgeFault {
    let code = match error.kind() {
        _ if is_full(error) => "no_room",
        io::ErrorKind::InvalidInput => "no_log_file",
        io::ErrorKind::ResourceBusy => "file_in_use",
        _ => "file_unwritable",
    };
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "; make the folder it shall lie in",
        io::ErrorKind::PermissionDenied => "; let the user that Kymo runs as write there",
        _ if is_full(error) => "; it goes on once there is room",
        _ => "",
    };
    BridgeFault::new(code, format!("the file cannot be written: {error}{hint}"))
}
