//! Settings: `kymo.toml` < environment `KYMO_*` < command line. Defaults need no file.
//!
//! Each part's settings live beside the code they steer; here they are put together. A key nobody knows is an error
//! that names the nearest known one, and every value remembers where it came from.

mod known;
mod layers;
mod named;
mod routes;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use kymo_connect::{BridgesSettings, SinkSettings, SourceSettings, WatchSettings};
use kymo_event::dialects::{Mapping, Resonance};
use kymo_hub::{HubSettings, routes::Said};
use kymo_ledger::LedgerSettings;
use kymo_server::{DoorsSettings, ServerSettings};

use crate::failure::Failure;

pub(crate) use known::{DEFAULT_TOML, KNOWN, Known, nearest};
pub(crate) use layers::{Loaded, Origin};
pub(crate) use named::EXAMPLES;

/// Everything that can be set.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) server: ServerSettings,
    pub(crate) doors: DoorsSettings,
    pub(crate) ledger: LedgerSettings,
    pub(crate) hub: HubSettings,
    pub(crate) watch: WatchSettings,
    pub(crate) spool: SpoolSettings,
    pub(crate) run: RunSettings,
    pub(crate) dialects: DialectsSettings,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) sources: BTreeMap<String, SourceSettings>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) sinks: BTreeMap<String, SinkSettings>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) routes: Said,
}

impl Settings {
    /// The bridges that shall run.
    pub(crate) fn bridges(&self) -> BridgesSettings {
        BridgesSettings {
            sources: self.sources.clone(),
            sinks: self.sinks.clone(),
        }
    }
}

/// What the forms of other systems are known to have, besides what they are known to have everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DialectsSettings {
    /// Keys of records of resonance ledgers.
    pub(crate) resonance: Mapping,
}

impl DialectsSettings {
    /// What is wrong with it, if anything is.
    fn problem(&self) -> Option<String> {
        let error = Resonance::extended(&self.resonance).err()?;
        Some(format!("[dialects.resonance]: {error}"))
    }

    /// Has all readers of this program know it, for as long as it runs.
    pub(crate) fn take_effect(&self) {
        Resonance::know(&self.resonance).expect("judged with the settings");
    }
}

/// Has readers of this program know the keys that records have by the settings of a data folder.
pub(crate) fn know_forms(data: &Path) -> Result<(), Failure> {
    let loaded = Loaded::load(&SettingsArgs::of_environment(), data, &[])?;
    loaded.settings.dialects.take_effect();
    Ok(())
}

/// When spooled events are taken up.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SpoolSettings {
    /// Between looks.
    pub(crate) take_up_s: u64,
}

impl Default for SpoolSettings {
    fn default() -> Self {
        Self { take_up_s: 2 }
    }
}

/// What `kymo run` records of a command's output.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RunSettings {
    /// Longer lines are cut in the record.
    pub(crate) line_bytes_max: usize,
    /// Output that may wait to be recorded.
    pub(crate) queue_bytes_max: usize,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self {
            line_bytes_max: 8 << 10,
            queue_bytes_max: 8 << 20,
        }
    }
}

/// Where settings are given on the command line.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct SettingsArgs {
    /// Settings file [default: kymo.toml in the data folder, or the nearest one upward from here]
    #[arg(
        long,
        env = "KYMO_CONFIG",
        hide_env_values = true,
        value_name = "FILE",
        help_heading = "Settings"
    )]
    pub(crate) config: Option<PathBuf>,
    /// Set one setting, such as hub.rate_per_source=500 (repeatable; `kymo config` lists all)
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Settings")]
    pub(crate) set: Vec<String>,
}

impl SettingsArgs {
    /// For commands that have no options for settings.
    pub(crate) fn of_environment() -> Self {
        Self {
            config: std::env::var_os("KYMO_CONFIG").map(PathBuf::from),
            set: Vec::new(),
        }
    }
}

/// The settings file that counts: the named one, else `kymo.toml` in the data folder, else the nearest one upward.
pub(crate) fn file(named: Option<&Path>, data: &Path) -> Option<PathBuf> {
    if let Some(named) = named {
        return Some(named.to_owned());
    }
    let in_data = data.join("kymo.toml");
    if in_data.is_file() {
        return Some(in_data);
    }
    let here = std::env::current_dir().ok()?;
    here.ancestors()
        .map(|folder| folder.join("kymo.toml"))
        .find(|path| path.is_file())
}
