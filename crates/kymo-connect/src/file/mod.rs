//! The file sink: events as lines of a file, for `tail -f … | grep` and for programs that read such files.
//!
//! Lines are only ever appended, whole, and each once: the file's own length is the place ([`log`]). What was written
//! counts as delivered; it is synced, and the length noted, right before the sink's place is. Whoever rotates the file,
//! by moving it away or by emptying it, is noticed with the next batch. Each sink has a thread of its own, so that a disk
//! that hangs holds up nothing else.

mod fault;
mod log;
mod settings;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use kymo_event::{LedgerId, dialects::Dialect};
use kymo_hub::{BridgeAbout, BridgeFault, Direction, Hub};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

pub use self::settings::FileSink;
pub(crate) use self::settings::{is_rotation_of, resolved};
use self::{
    fault::LogError,
    log::{Lines, Log},
};
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
    let log = Log::new(path, data, cursors.beside_sink(&name), ledger.clone());
    let sink = Writer {
        desk: Desk::open(log),
        dialect: Some(dialect).filter(|dialect| dialect.name() != NATIVE),
        ledger,
    };
    run_sink(sink, plan, hub, &cursors, end).await;
}

struct Writer {
    desk: Desk,
    dialect: Option<&'static dyn Dialect>,
    ledger: LedgerId,
}

impl Writer {
    fn lines(&self, batch: &Batch) -> Lines {
        let mut lines = Lines::with_capacity(batch.bytes());
        for item in batch.iter() {
            lines.add(item.view.seq(), |bytes| match self.dialect {
                None => bytes.extend_from_slice(item.view.line()),
                Some(dialect) => dialect.write(&item.view, &self.ledger, bytes),
            });
        }
        lines
    }
}

impl Sink for Writer {
    async fn connect(&mut self) -> Result<(), BridgeFault> {
        self.desk.order(Log::open).await.map_err(|error| error.fault())
    }

    async fn deliver(&mut self, batch: &Batch) -> Result<Vec<Refused>, SinkFault> {
        let lines = self.lines(batch);
        self.desk.order(move |log| log.append(&lines)).await?;
        Ok(Vec::new())
    }

    async fn keep(&mut self) -> Result<(), BridgeFault> {
        self.desk.order(Log::keep).await.map_err(|error| error.fault())
    }

    async fn forget(&mut self) -> Result<(), BridgeFault> {
        self.desk.order(Log::forget).await.map_err(|error| error.fault())
    }
}

/// Where orders for a log are left: one at a time, each carried out to its end, also if nobody waits for it any more.
struct Desk {
    orders: mpsc::Sender<Order>,
    is_busy: Arc<AtomicBool>,
}

type Order = Box<dyn FnOnce(&mut Log) + Send>;

impl Desk {
    fn open(mut log: Log) -> Self {
        let (orders, left) = mpsc::channel::<Order>();
        let working = thread::Builder::new().name("kymo-file-sink".into());
        // Without it every order is answered as not carried out.
        if let Err(error) = working.spawn(move || left.into_iter().for_each(|order| order(&mut log))) {
            tracing::error!(%error, "a thread for a file sink could not be started");
        }
        Self {
            orders,
            is_busy: Arc::default(),
        }
    }

    /// Has something done. While the last order is not carried out there is no other.
    async fn order<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Log) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        if self.is_busy.swap(true, Ordering::AcqRel) {
            return Err(LogError::Busy);
        }
        let (answer, answered) = oneshot::channel();
        let is_busy = Arc::clone(&self.is_busy);
        let order: Order = Box::new(move |log| {
            let done = work(log);
            is_busy.store(false, Ordering::Release);
            // Whoever asked may have gone.
            let _ = answer.send(done);
        });
        self.orders.send(order).map_err(|_| LogError::Busy)?;
        answered.await.unwrap_or(Err(LogError::Busy))
    }
}
