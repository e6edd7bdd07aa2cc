//! `kymo config`: which settings are in force, where each came from, and what it does.
use std::path::PathBuf;

use clap::Subcommand;

use crate::{
    exit::Exit,
    failure::{Failure, Kind},
    find,
    printer::{BOLD, DIM, GOOD, Printer},
    settings::{self, DEFAULT_TOML, KNOWN, Known, Loaded, Origin, SettingsArgs, nearest},
};

const EXAMPLES: &str = "\
Examples:
  kymo config                              what is in force, and where each value came from
  kymo config check                        is the settings file understood
  kymo config explain ledger.durability    what a setting does and how to set it
  kymo config default > kymo.toml          every setting with its explanation, to begin with";

/// Arguments of `config`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    settings: SettingsArgs,
    /// Data folder [env: KYMO_DATA] [default: the nearest .kymo upward from here, else the user's own]
    #[arg(long, alias = "folder", value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Read the settings and say what is wrong with them
    Check {
        /// Settings file [default: the one that would be used]
        file: Option<PathBuf>,
    },
    /// Say what a setting does and how to set it
    Explain {
        /// Its name, such as server.listen; all if none is given
        key: Option<String>,
    },
    /// Print the commented defaults
    Default,
}

impl Args {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        match &self.what {
            None => self.print(),
            Some(What::Check { file }) => self.check(file.clone()),
            Some(What::Explain { key }) => self.explain(key.as_deref()),
            Some(What::Default) => {
                Printer::new().bytes(DEFAULT_TOML.as_bytes());
                Ok(Exit::Done)
            }
        }
    }

    fn load(&self, settings: &SettingsArgs) -> Result<Loaded, Failure> {
        Loaded::load(settings, &find::data_folder(self.data.as_deref())?, &[])
    }

    /// The output is a settings file itself.
    fn print(&self) -> Result<Exit, Failure> {
        let loaded = self.load(&self.settings)?;
        let mut printer = Printer::new();
        match &loaded.file {
            Some(file) => printer.line(format!("{DIM}# settings file: {}{DIM:#}", file.display())),
            None => printer.line(format!(
                "{DIM}# no settings file; these are the defaults and what the environment says{DIM:#}"
            )),
        }
        let mut section = "";
        for known in KNOWN.iter() {
            if known.section() != section {
                section = known.section();
                printer.line(format!("\n{BOLD}[{section}]{BOLD:#}"));
            }
            printer.line(row(known, &loaded));
        }
        for (table, names) in loaded.named() {
            printer.line(format!("\n{BOLD}[{table}]{BOLD:#}"));
            for name in names {
                let key = format!("{table}.{name}");
                let value = loaded.value(&key).unwrap_or_default();
                let text = format!("{name} = {}", kymo_connect::without_userinfo(&value));
                printer.line(format!("{text:<44} {GOOD}# {}{GOOD:#}", loaded.origin(&key)));
            }
        }
        for name in loaded.settings.routes.keys() {
            let table = format!("routes.{name}");
            let origin = loaded.origin(&table);
            printer.line(format!(
                "\n{BOLD}{:<44}{BOLD:#} {GOOD}# {origin}{GOOD:#}",
                format!("[{table}]")
            ));
            for part in ["when", "emit", "backfill", "enabled"] {
                let value = loaded.value(&format!("{table}.{part}")).unwrap_or_default();
                printer.line(format!("{part} = {value}"));
            }
        }
        Ok(Exit::Done)
    }

    fn check(&self, file: Option<PathBuf>) -> Result<Exit, Failure> {
        let settings = SettingsArgs {
            config: file.or(self.settings.config.clone()),
            set: self.settings.set.clone(),
        };
        let loaded = self.load(&settings)?;
        let from = match &loaded.file {
            Some(file) => file.display().to_string(),
            None => "no settings file; the environment".to_owned(),
        };
        let of_known = KNOWN
            .iter()
            .filter(|known| *loaded.origin(&known.key) != Origin::Default)
            .count();
        let of_named = loaded.named().map(|(_, names)| names.len()).sum::<usize>();
        let changed = of_known + of_named + loaded.settings.routes.len();
        Printer::new().line(format!("{GOOD}good{GOOD:#} {from} ({changed} set)"));
        Ok(Exit::Done)
    }

    fn explain(&self, key: Option<&str>) -> Result<Exit, Failure> {
        let loaded = self.load(&self.settings)?;
        let is_wanted = |known: &&Known| key.is_none_or(|key| known.key == key || known.section() == key);
        let wanted: Vec<&Known> = KNOWN.iter().filter(is_wanted).collect();
        let of_example = |known: &&Known| is_wanted(known) || key.is_some_and(|key| known.is_in(key));
        let examples = settings::EXAMPLES.iter().flat_map(|example| &example.settings);
        let examples: Vec<&Known> = examples.filter(of_example).collect();
        if wanted.is_empty() && examples.is_empty() {
            let key = key.unwrap_or_default();
            let failure = Failure::new(Kind::Settings, format!("there is no setting `{key}`"))
                .code("invalid_parameter");
            let near = nearest(
                key,
                KNOWN.iter().flat_map(|known| [known.key.as_str(), known.name()]),
            );
            return Err(failure.hint(match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`kymo config explain` lists all settings".to_owned(),
            }));
        }
        let mut printer = Printer::new();
        for known in wanted {
            explain(&mut printer, known, &loaded);
        }
        for known in examples {
            explain_example(&mut printer, known);
        }
        Ok(Exit::Done)
    }
}

fn row(known: &Known, loaded: &Loaded) -> String {
    let origin = loaded.origin(&known.key);
    let text = match loaded.value(&known.key) {
        Some(value) => format!("{} = {value}", known.name()),
        None => format!("# {} is not set", known.name()),
    };
    match origin {
        Origin::Default => format!("{text:<44} {DIM}# default{DIM:#}"),
        origin => format!("{text:<44} {GOOD}# {origin}{GOOD:#}"),
    }
}

/// Of a table that users name there may be many, or none.
fn explain_example(printer: &mut Printer, known: &Known) {
    let section = known.section();
    printer.line(format!("{BOLD}{}{BOLD:#}", known.key));
    printer.line(format!("  {}", known.about));
    printer.line(format!(
        "  kymo.toml    [{section}] {} = {}",
        known.name(),
        known.value
    ));
    printer.line(format!(
        "  {DIM}instead of `{}` any name{DIM:#}\n",
        section.rsplit('.').next().unwrap_or(section)
    ));
}

fn explain(printer: &mut Printer, known: &Known, loaded: &Loaded) {
    let default = if known.optional { "not set" } else { &known.value };
    printer.line(format!("{BOLD}{}{BOLD:#}", known.key));
    printer.line(format!("  {}", known.about));
    printer.line(format!("  default      {default}"));
    let value = loaded.value(&known.key).unwrap_or_else(|| "not set".to_owned());
    printer.line(format!(
        "  now          {value} {DIM}({}){DIM:#}",
        loaded.origin(&known.key)
    ));
    printer.line(format!(
        "  kymo.toml    [{}] {} = {}",
        known.section(),
        known.name(),
        known.value
    ));
    printer.line(format!(
        "  environment  {}={}",
        known.variable(),
        known.value.trim_matches('"')
    ));
    printer.line(format!(
        "  flag         --set {}={}\n",
        known.key,
        known.value.trim_matches('"')
    ));
}
