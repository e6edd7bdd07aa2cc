//! Where imported events go: to a server, or straight into a folder on which none runs.
use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    path::Path,
    pin::Pin,
    task::Poll,
    time::Duration,
};

use kymo_hub::{Hub, Notices, Principal, PublishError};
use kymo_ledger::Ledger;
use tokio::runtime::Runtime;

use super::load::{Load, Pack, Texts};
use crate::{
    client::Client,
    failure::Failure,
    receipt::Receipt,
    settings::{Loaded, SettingsArgs},
    station,
};

/// How long a server may take for one batch.
const PATIENCE: Duration = Duration::from_secs(60);
/// Records that a server is given together. A hub that has refused a thousand of a batch looks at no more of it.
const POSTED_RECORDS_MAX: usize = 1_000;
/// Bytes of one request: a batch of great records must not become one that a server or a proxy before it refuses whole.
const POSTED_BYTES_MAX: usize = 2 << 20;
/// What is stored together in a folder: enough that the disk's answers are few, and nobody's memory grows.
const STORED_RECORDS_MAX: usize = 8_192;
const STORED_BYTES_MAX: usize = 2 << 20;
/// An event may be so many times as large as its record: what is a batch for the hub's limits is a part of that here.
const GROWTH: usize = 8;
/// Batches of a folder that are on their way to the disk.
const ON_THEIR_WAY: usize = 2;

pub(super) enum Destination {
    Server(Client),
    Folder(Folder),
}

/// A folder of which this is the only writer.
pub(super) struct Folder {
    hub: Hub,
    runtime: Runtime,
    /// Bytes of records that are stored together.
    bytes_max: usize,
    /// Handed to the ledger, in this order.
    on_their_way: VecDeque<(Load, Commit)>,
}

type Commit = Pin<Box<dyn Future<Output = Result<kymo_hub::Receipt, PublishError>> + Send>>;

/// Is told of a load that is stored.
pub(super) type Stored<'s> = &'s mut dyn FnMut(Load, &Receipt);

/// Makes loads as their destination wants them.
pub(super) enum Packer {
    Texts,
    Batches { hub: Hub, bytes_max: usize },
}

impl Packer {
    /// An empty load.
    pub(super) fn load(&self) -> Load {
        let pack = match self {
            Self::Texts => Pack::Texts(Texts::default()),
            Self::Batches { hub, bytes_max } => {
                let mut intake = hub.intake(Principal::owner(), "import");
                intake.reserve(*bytes_max);
                Pack::Batch(Box::new(intake))
            }
        };
        Load {
            pack,
            notes: Vec::new(),
            refused: Vec::new(),
            position: 0,
        }
    }

    /// Whether a load goes before it has so many bytes.
    pub(super) fn is_full(&self, load: &Load, bytes: usize) -> bool {
        let records = load.notes.len() + load.refused.len();
        let (records_max, bytes_max) = match self {
            Self::Texts => (POSTED_RECORDS_MAX, POSTED_BYTES_MAX),
            Self::Batches { bytes_max, .. } => (STORED_RECORDS_MAX, *bytes_max),
        };
        records > 0 && (records >= records_max || bytes > bytes_max)
    }
}

impl Destination {
    /// Opens a folder as its only writer.
    pub(super) fn folder(data: &Path) -> Result<Self, Failure> {
        let settings = Loaded::load(&SettingsArgs::of_environment(), data, &[])?.settings;
        let at_once = settings.hub.limits.batch_bytes_max;
        let waiting = settings.ledger.queue_bytes_max / (ON_THEIR_WAY + 1);
        let bytes_max = STORED_BYTES_MAX.min(at_once.min(waiting) / GROWTH);
        station::prepare_folder(data)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|cause| {
                Failure::failed(format!("the program's threads could not be started: {cause}"))
            })?;
        let notices = Notices::new();
        let ledger = Ledger::open(data, settings.ledger, notices.on_notice())?;
        let _entered = runtime.enter();
        let hub = Hub::start_with(settings.hub, ledger, notices);
        drop(_entered);
        Ok(Self::Folder(Folder {
            hub,
            runtime,
            bytes_max,
            on_their_way: VecDeque::new(),
        }))
    }

    pub(super) fn packer(&self) -> Packer {
        match self {
            Self::Server(_) => Packer::Texts,
            Self::Folder(folder) => Packer::Batches {
                hub: folder.hub.clone(),
                bytes_max: folder.bytes_max,
            },
        }
    }

    /// Stores a load; who asked for it is told when it, or one before it, is durable. A server that is busy is waited for.
    pub(super) fn store(&mut self, mut load: Load, stored: Stored<'_>) -> Result<(), Failure> {
        match (self, &mut load.pack) {
            (Self::Server(client), Pack::Texts(texts)) => {
                let receipt = match load.notes.is_empty() {
                    true => Receipt::default(),
                    false => client.post_patiently(&texts.records(), PATIENCE)?,
                };
                stored(load, &receipt);
                Ok(())
            }
            (Self::Folder(folder), Pack::Batch(_)) => folder.store(load, stored),
            _ => unreachable!("a load is packed by the packer of its destination"),
        }
    }

    /// Waits until everything is stored.
    pub(super) fn settle(&mut self, stored: Stored<'_>) -> Result<(), Failure> {
        match self {
            Self::Server(_) => Ok(()),
            Self::Folder(folder) => folder.wait(0, stored),
        }
    }

    /// Gives the folder back.
    pub(super) fn close(self) -> Result<(), Failure> {
        if let Self::Folder(folder) = self {
            folder.runtime.block_on(folder.hub.close());
        }
        Ok(())
    }
}

impl Folder {
    fn store(&mut self, mut load: Load, stored: Stored<'_>) -> Result<(), Failure> {
        let empty = Pack::Texts(Texts::default());
        let Pack::Batch(mut intake) = std::mem::replace(&mut load.pack, empty) else {
            return Ok(());
        };
        let (commit,) = self.runtime.block_on(async {
            intake.look_up_ids().await;
            let mut commit: Commit = Box::pin(intake.commit());
            // Now it is with the ledger, in front of what comes next.
            let first = poll_fn(|context| Poll::Ready(commit.as_mut().poll(context))).await;
            let commit: Commit = match first {
                Poll::Ready(receipt) => Box::pin(std::future::ready(receipt)),
                Poll::Pending => commit,
            };
            (commit,)
        });
        self.on_their_way.push_back((load, commit));
        self.wait(ON_THEIR_WAY, stored)
    }

    /// Waits until no more than so many are on their way.
    fn wait(&mut self, most: usize, stored: Stored<'_>) -> Result<(), Failure> {
        while self.on_their_way.len() > most {
            let Some((load, commit)) = self.on_their_way.pop_front() else {
                break;
            };
            let receipt = self
                .runtime
                .block_on(commit)
                .map_err(|error| not_stored(&error))?;
            let value = serde_json::to_value(&receipt).expect("a receipt becomes JSON");
            let receipt = serde_json::from_value(value).expect("both receipts have the words of the wire");
            stored(load, &receipt);
        }
        Ok(())
    }
}

fn not_stored(error: &PublishError) -> Failure {
    let failure = Failure::failed(error.to_string());
    match error {
        PublishError::DiskFull => failure
            .code("disk_full")
            .hint("make room and import again; what is stored is not stored twice"),
        PublishError::Unwritable(_) => failure
            .code("ledger_unwritable")
            .hint("check the folder's disk and permissions"),
        PublishError::Busy { .. } | PublishError::Closing | PublishError::NotAllowed => failure,
    }
}
