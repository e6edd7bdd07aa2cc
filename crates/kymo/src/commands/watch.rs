//! `kymo watch`: watches folders here and sends what happens to a server elsewhere. While it is away, events wait on disk.
use std::{path::PathBuf, sync::Arc, time::Duration};

use kymo_connect::{Watch, WatchSettings, take_up_spools};
use tokio_util::sync::CancellationToken;

use crate::{
    exit::Exit,
    failure::Failure,
    find::{Place, Where},
    outbox::Outbox,
    outlet::ServerOutlet,
    printer::note,
    settings::{Loaded, SettingsArgs},
    signals::Signals,
    station::not_watched,
};

const EXAMPLES: &str = "\
Examples:
  kymo watch                              this folder, into the hub found from here
  kymo watch src docs --source laptop     two folders, under a name of their own
  kymo watch --url https://hub.example --token $TOKEN

While the server is away events wait on disk and arrive later, once. Ctrl-C stops.";

/// How long a server may take before events go to the spool.
const PATIENCE: Duration = Duration::from_secs(10);

/// Arguments of `watch`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Folders to watch
    #[arg(value_name = "FOLDERS", default_value = ".")]
    folders: Vec<PathBuf>,
    /// Source of the events
    #[arg(long, env = "KYMO_SOURCE", hide_env_values = true, value_name = "NAME")]
    source: Option<String>,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl Args {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let found = Place::find(&self.place)?;
        let mut settings = Loaded::load(&self.settings, &found.data, &[])?.settings.watch;
        settings.folders.clone_from(&self.folders);
        if let Some(source) = &self.source {
            settings.source.clone_from(source);
        }
        let outbox = Outbox::open(&self.place, PATIENCE)?;
        match outbox.url() {
            Some(url) => note(format!("sending to {url}; Ctrl-C stops")),
            None => note(format!(
                "no server is running on {}; events wait on disk",
                found.data.display()
            )),
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|cause| {
                Failure::failed(format!("the program's threads could not be started: {cause}"))
            })?;
        runtime.block_on(watch(settings, outbox))
    }
}

async fn watch(settings: WatchSettings, outbox: Outbox) -> Result<Exit, Failure> {
    let mut signals =
        Signals::new().map_err(|cause| Failure::failed(format!("signals cannot be received: {cause}")))?;
    let end = CancellationToken::new();
    let spool = outbox.spool_folder().to_owned();
    let is_elsewhere = outbox.is_elsewhere();
    let outlet = Arc::new(ServerOutlet::new(outbox));
    let taking_up = is_elsewhere.then(|| {
        // Nobody but us sends on what waits for a server elsewhere.
        let (outlet, end) = (Arc::clone(&outlet), end.clone());
        tokio::spawn(async move { take_up_spools(&spool, outlet, Duration::from_secs(5), end).await })
    });
    let watch = Watch::start(settings, outlet, end.clone())
        .await
        .map_err(|error| not_watched(&error))?;
    for status in watch.status() {
        let problem = status
            .problem
            .map_or(String::new(), |problem| format!("; {problem}"));
        note(format!(
            "watching {} ({}{problem})",
            status.folder.display(),
            match status.directories {
                1 => "1 directory".to_owned(),
                count => format!("{count} directories"),
            }
        ));
    }
    signals.next().await;
    end.cancel();
    watch.finished().await;
    if let Some(taking_up) = taking_up {
        let _ = taking_up.await;
    }
    Ok(Exit::Done)
}
