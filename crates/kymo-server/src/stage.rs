//! An application that nobody has to connect to: what tests of single parts stand on.
use std::{fs, sync::Arc};

use kymo_hub::{Hub, HubSettings};
use kymo_ledger::{Ground, Ledger, LedgerSettings, testing::FaultyDisk};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::{
    Parts, ServerSettings,
    app::{App, Application},
    auth::{Auth, Caller},
    budget::Budget,
};

/// A hub on a disk in memory, and all that the server's parts share.
pub(crate) struct Stage {
    pub(crate) app: App,
    /// The owner's token.
    pub(crate) token: String,
    _folder: TempDir,
}

impl Stage {
    /// As a server has it at the start.
    pub(crate) fn new() -> Self {
        Self::with(Budget::default())
    }

    /// With so much memory for bodies.
    pub(crate) fn with(budget: Budget) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let ground = Ground {
            disk: Arc::new(FaultyDisk::new()),
            ..Ground::default()
        };
        let ledger = Ledger::open_on(ground, folder.path(), LedgerSettings::default(), Box::new(|_| {}));
        let hub = Hub::start(HubSettings::default(), ledger.expect("the ledger opens"));
        let auth = Auth::open(folder.path(), &hub.ledger().id()).expect("the folder can be written");
        let token = fs::read_to_string(folder.path().join("token")).expect("the token");
        let parts = Parts {
            hub,
            data: folder.path().to_owned(),
            stop: CancellationToken::new(),
            status: Arc::new(|| serde_json::Value::Null),
        };
        let settings = ServerSettings::default();
        let app = Application {
            budget,
            ..Application::new(&settings, parts, settings.listen, auth)
        };
        Self {
            app: app.into(),
            token: token.trim().to_owned(),
            _folder: folder,
        }
    }

    /// Who has the owner's token.
    pub(crate) fn owner(&self) -> Arc<Caller> {
        self.app
            .auth
            .identify_token(&self.token)
            .expect("the owner is known")
    }
}
