//! `kymo watch`: watches folders here and sends what happens to a server elsewhere. While it is away, events wait on disk.
use std::path::PathBuf;

use kymo_connect::{Watch, WatchStatus};

use crate::{
    exit::Exit,
    failure::Failure,
    find::{Place, Where},
    printer::note,
    sending::Sending,
    settings::{Loaded, SettingsArgs},
    station::not_watched,
};

const EXAMPLES: &str = "\
Examples:
  kymo watch                              this folder, into the hub found from here
  kymo watch src docs --source laptop     two folders, under a name of their own
  kymo watch --url https://hub.example --token $TOKEN

While the server is away events wait on disk and arrive later, once. Ctrl-C stops.";

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
        let sending = Sending::open(&self.place, &found.data)?;
        sending.run(
            async |outlet, end| {
                let watch = Watch::start(settings, outlet, end.clone()).await;
                let watch = watch.map_err(|error| not_watched(&error))?;
                watch.status().iter().for_each(tell);
                Ok(watch)
            },
            Watch::finished,
        )
    }
}

fn tell(status: &WatchStatus) {
    let problem = status
        .problem
        .as_ref()
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
