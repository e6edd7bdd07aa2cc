//! `kymo serve`: the server of a data folder. It watches nothing unless the settings say so.
use std::net::SocketAddr;

use super::up::{greet, join, listen_flags};
use crate::{
    exit::Exit,
    failure::Failure,
    find,
    reload::Source,
    settings::{Origin, SettingsArgs},
    station::{self, Ended, Plan},
};

const EXAMPLES: &str = "\
Examples:
  kymo serve                                     the folder's own hub, or the user's
  kymo serve --data /var/lib/kymo                a hub of its own
  kymo serve --data DIR --listen 127.0.0.1:0     on a free port; DIR/server.json names it";

/// Arguments of `serve`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Data folder [env: KYMO_DATA] [default: the nearest .kymo upward from here, else the user's own]
    #[arg(long, alias = "folder", value_name = "DIR")]
    data: Option<std::path::PathBuf>,
    /// Address and port to listen on; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Listen beyond this machine although there is no TLS here
    #[arg(long)]
    insecure: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl Args {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let data = find::data_folder(self.data.as_deref())?;
        let source = Source {
            args: self.settings.clone(),
            flags: listen_flags(self.listen, self.insecure),
            data: data.clone(),
        };
        let loaded = source.load()?;
        let plan = Plan {
            data: data.clone(),
            listen_is_fixed: *loaded.origin("server.listen") != Origin::Default,
            watch: loaded.settings.watch.folders.clone(),
            settings: loaded.settings,
            source,
        };
        match station::run(plan, |ready| greet(ready, false))? {
            Ended::Served => Ok(Exit::Done),
            Ended::Elsewhere { pid } => join(&data, pid, &[], false),
        }
    }
}
