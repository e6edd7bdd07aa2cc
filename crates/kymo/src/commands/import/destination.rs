//! Where imported events go: to a server, or straight into a folder on which none runs.
use std::{path::Path, time::Duration};

use kymo_event::RawJson;
use kymo_hub::{Hub, Notices, Principal, PublishError};
use kymo_ledger::Ledger;
use tokio::runtime::Runtime;

use crate::{
    client::Client,
    failure::Failure,
    receipt::Receipt,
    settings::{Loaded, SettingsArgs},
    station,
};

/// How long a server may take for one batch.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) enum Destination {
    Server(Client),
    Folder { hub: Hub, runtime: Runtime },
}

impl Destination {
    /// Opens a folder as its only writer.
    pub(super) fn folder(data: &Path) -> Result<Self, Failure> {
        let settings = Loaded::load(&SettingsArgs::default(), data, &[])?.settings;
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
        Ok(Self::Folder { hub, runtime })
    }

    /// Stores records; returns when they are durable. Waits for a side that is busy.
    pub(super) fn store(&mut self, records: &[&str]) -> Result<Receipt, Failure> {
        match self {
            Self::Server(client) => Ok(client.post_patiently(records, PATIENCE)?),
            Self::Folder { hub, runtime } => loop {
                match runtime.block_on(commit(hub, records)) {
                    Err(PublishError::Busy { .. }) => std::thread::sleep(Duration::from_millis(20)),
                    Ok(receipt) => return Ok(receipt),
                    Err(error) => return Err(not_stored(&error)),
                }
            },
        }
    }

    /// Gives the folder back.
    pub(super) fn close(self) -> Result<(), Failure> {
        if let Self::Folder { hub, runtime } = self {
            runtime.block_on(hub.close());
        }
        Ok(())
    }
}

async fn commit(hub: &Hub, records: &[&str]) -> Result<Receipt, PublishError> {
    let mut intake = hub.intake(Principal::owner(), "import");
    for (index, record) in records.iter().enumerate() {
        let native: &'static dyn kymo_event::dialects::Dialect = &kymo_event::dialects::Native;
        intake.record(index, RawJson::trusted(record), Some(native));
    }
    let receipt = intake.commit().await?;
    let value = serde_json::to_value(&receipt).expect("a receipt becomes JSON");
    Ok(serde_json::from_value(value).expect("both receipts have the words of the wire"))
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
