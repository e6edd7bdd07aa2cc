//! What is to be measured, as asked on the command line.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Parser;

use crate::{
    Outcome,
    contestants::{self, Entrant, KYMO},
    curves::Extent,
    works::{self, Work},
};

/// Measures Kymo beside its peers and the machine's own floors, and prints one table.
#[derive(Parser, Debug)]
#[command(name = "cargo xtask bench")]
pub(crate) struct Args {
    /// A two-minute version: less of everything, one pass
    #[arg(long)]
    quick: bool,
    /// So little of everything that a test can do it; its figures say nothing
    #[arg(long, hide = true, conflicts_with = "quick")]
    tiny: bool,
    /// Passes; the table shows the median of them [default: 3, or 1 with --quick]
    #[arg(long)]
    passes: Option<usize>,
    /// Works to measure, by their keys, joined by commas (--list names them)
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Peers to measure beside Kymo, by their keys, joined by commas [default: all]
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// Measure Kymo alone
    #[arg(long, conflicts_with = "peers")]
    without_peers: bool,
    /// Name the works and the contestants, and measure nothing
    #[arg(long)]
    pub(crate) list: bool,
    /// Measure only how costs grow, and draw it: readers, filters, size, ledger; all of them if none is named
    #[arg(long, num_args = 0.., value_delimiter = ',', value_name = "NAMES")]
    pub(crate) curves: Option<Vec<String>>,
    /// Also with 50 million stored events, which take 22 GB of disk for some minutes
    #[arg(long)]
    huge: bool,
    /// Minutes of steady load, to see whether memory grows
    #[arg(long, value_name = "MINUTES")]
    soak: Option<f64>,
    /// Keep the data folder of --huge here, and use it again
    #[arg(long, value_name = "DIR", requires = "huge", value_parser = kept)]
    stored: Option<&'static Path>,
    /// Folder for the results
    #[arg(long, default_value = "bench/runs")]
    pub(crate) runs: PathBuf,
    /// Measure and print, and write nothing
    #[arg(long)]
    pub(crate) no_write: bool,
    /// The kymo binary
    #[arg(long, env = "KYMO_BIN")]
    pub(crate) kymo: PathBuf,
}

impl Args {
    /// How often everything is measured.
    pub(crate) fn passes(&self) -> usize {
        let usual = if self.quick || self.tiny { 1 } else { 3 };
        self.passes.unwrap_or(usual).max(1)
    }

    /// Whether the figures are to be compared with others at all.
    pub(crate) const fn is_whole(&self) -> bool {
        !self.quick && !self.tiny
    }

    /// Whether nothing was left out, so that the curves are due as well.
    pub(crate) const fn is_everything(&self) -> bool {
        self.is_whole() && self.only.is_empty() && !self.no_write
    }

    /// How much of everything.
    pub(crate) fn scale(&self) -> Scale {
        let usual = match (self.tiny, self.quick) {
            (true, _) => Scale::TINY,
            (_, true) => Scale::QUICK,
            _ => Scale::WHOLE,
        };
        Scale {
            soak: self
                .soak
                .map_or(usual.soak, |minutes| Duration::from_secs_f64(minutes * 60.0)),
            stored: self.stored,
            ..usual
        }
    }

    /// How much of the curves.
    pub(crate) fn extent(&self) -> Extent<'_> {
        let (shorter, ledger_events_max) = match (self.tiny, self.quick, self.huge) {
            (true, ..) => (1_000, 10_000),
            (_, true, _) => (10, 500_000),
            (.., true) => (1, 50_000_000),
            _ => (1, 10_000_000),
        };
        Extent {
            kymo: &self.kymo,
            shorter,
            ledger_events_max,
        }
    }

    /// The chosen works, in the order of the lists.
    pub(crate) fn works(&self) -> Outcome<Vec<&'static Work>> {
        let known = |key: &String| works::all().any(|work| work.key == *key);
        if let Some(unknown) = self.only.iter().find(|key| !known(key)) {
            let keys: Vec<_> = works::all().map(|work| work.key).collect();
            return Err(format!("there is no work `{unknown}`; there are {}", keys.join(", ")).into());
        }
        let named = |work: &Work| self.only.iter().any(|key| key == work.key);
        let usual = |work: &Work| self.only.is_empty() && (self.huge || work.key != works::HUGE);
        Ok(works::all().filter(|work| named(work) || usual(work)).collect())
    }

    /// The chosen contestants: Kymo first.
    pub(crate) fn entrants(&self) -> Outcome<Vec<&'static Entrant>> {
        if let Some(unknown) = self.peers.iter().find(|key| contestants::named(key).is_none()) {
            let keys: Vec<_> = contestants::ENTRANTS.iter().map(|entrant| entrant.key).collect();
            return Err(format!(
                "there is no contestant `{unknown}`; there are {}",
                keys.join(", ")
            )
            .into());
        }
        let chosen = |entrant: &&Entrant| {
            let named = self.peers.is_empty() || self.peers.iter().any(|key| key == entrant.key);
            entrant.key == KYMO || (named && !self.without_peers)
        };
        Ok(contestants::ENTRANTS.iter().filter(chosen).collect())
    }
}

/// How much of everything is done. All contestants get the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// How long a closed loop runs.
    pub(crate) closed_loop: Duration,
    /// How long it runs before, uncounted: memory is touched and connections are warm.
    pub(crate) warm_up: Duration,
    /// How long an open loop runs.
    pub(crate) open_loop: Duration,
    /// Events of a burst to many readers.
    pub(crate) burst_events: u64,
    /// Readers of a burst.
    pub(crate) burst_readers: usize,
    /// Events sent one by one to many readers.
    pub(crate) one_by_one_events: u64,
    /// Stored events of a replay.
    pub(crate) replay_events: u64,
    /// Stored events of a restart.
    pub(crate) restart_events: u64,
    /// Stored events of a restart that was asked for.
    pub(crate) huge_events: u64,
    /// Where these are kept.
    pub(crate) stored: Option<&'static Path>,
    /// Connections that are told nothing.
    pub(crate) idle_connections: usize,
    /// How often others are measured alone and then beside an attack.
    pub(crate) hostile_rounds: usize,
    /// How long a steady load runs.
    pub(crate) soak: Duration,
}

/// A path for as long as the program runs.
fn kept(text: &str) -> Result<&'static Path, std::convert::Infallible> {
    Ok(Box::leak(PathBuf::from(text).into_boxed_path()))
}

impl Scale {
    const WHOLE: Self = Self {
        closed_loop: Duration::from_secs(2),
        warm_up: Duration::from_millis(500),
        open_loop: Duration::from_secs(5),
        burst_events: 20_000,
        burst_readers: 500,
        one_by_one_events: 5_000,
        replay_events: 1_000_000,
        restart_events: 2_000_000,
        huge_events: 50_000_000,
        stored: None,
        idle_connections: 10_000,
        hostile_rounds: 3,
        soak: Duration::from_secs(120),
    };
    const QUICK: Self = Self {
        closed_loop: Duration::from_secs(1),
        warm_up: Duration::from_millis(300),
        open_loop: Duration::from_secs(2),
        burst_events: 4_000,
        burst_readers: 500,
        one_by_one_events: 2_000,
        replay_events: 200_000,
        restart_events: 200_000,
        huge_events: 50_000_000,
        stored: None,
        idle_connections: 1_000,
        hostile_rounds: 1,
        soak: Duration::from_secs(10),
    };
    const TINY: Self = Self {
        closed_loop: Duration::from_millis(50),
        warm_up: Duration::from_millis(20),
        open_loop: Duration::from_millis(100),
        burst_events: 1_000,
        burst_readers: 5,
        one_by_one_events: 100,
        replay_events: 2_000,
        restart_events: 2_000,
        huge_events: 10_000,
        stored: None,
        idle_connections: 20,
        hostile_rounds: 1,
        soak: Duration::from_millis(300),
    };
}
