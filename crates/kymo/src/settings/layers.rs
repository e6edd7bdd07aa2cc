//! Lays the sources of settings over each other and remembers which one each value came from.
use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use toml::{Table, Value, de::DeTable};

use super::{
    Settings, SettingsArgs,
    known::{self, KNOWN, nearest},
    named, routes,
};
use crate::failure::{Failure, Kind};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    File { path: PathBuf, line: usize },
    Environment(String),
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// Settings in force and where each came from.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) settings: Settings,
    /// The file that was read.
    pub(crate) file: Option<PathBuf>,
    origins: BTreeMap<String, Origin>,
}

/// Variables that mean something else than a setting.
const OTHER_VARIABLES: &[&str] = &[
    "KYMO_URL",
    "KYMO_DATA",
    "KYMO_TOKEN",
    "KYMO_CONFIG",
    "KYMO_LOG",
    "KYMO_SOURCE",
    "KYMO_AGENT",
    "KYMO_SESSION",
    "KYMO_TASK",
    "KYMO_TRACE",
    "KYMO_SPAN",
    "KYMO_USER",
    "KYMO_TIER",
    "KYMO_TO_TOKEN",
];

impl Loaded {
    /// Reads all layers for a data folder. `flags` are values that flags of the command set: (key, value, flag).
    pub(crate) fn load(
        args: &SettingsArgs,
        data: &Path,
        flags: &[(&str, String, &str)],
    ) -> Result<Self, Failure> {
        let mut layers = Layers::default();
        let file = super::file(args.config.as_deref(), data);
        if let Some(path) = &file {
            layers.file(path)?;
        }
        layers.environment(std::env::vars())?;
        for pair in &args.set {
            let (key, value) = pair.split_once('=').ok_or_else(|| {
                Failure::usage(format!("`--set {pair}` sets nothing")).hint("write --set KEY=VALUE")
            })?;
            layers.text(key.trim(), value.trim(), Origin::Flag("--set".into()))?;
        }
        for (key, value, flag) in flags {
            layers.text(key, value, Origin::Flag((*flag).to_owned()))?;
        }
        named::judge(&mut layers.values, &layers.origins)?;
        routes::judge(&layers.values, &layers.origins)?;
        let settings = layers.settings();
        if let Some(problem) = settings.dialects.problem() {
            let within = |(key, _): &(&String, &Origin)| key.starts_with("dialects.");
            let place = layers.origins.iter().find(within);
            let place = place.map_or(Origin::Default, |(_, origin)| origin.clone());
            let message = format!("{problem} ({place})");
            return Err(Failure::new(Kind::Settings, message).code("invalid_parameter"));
        }
        Ok(Self {
            settings,
            file,
            origins: layers.origins,
        })
    }

    /// Where the value of a setting came from.
    pub(crate) fn origin(&self, key: &str) -> &Origin {
        self.origins.get(key).unwrap_or(&Origin::Default)
    }

    /// The tables that the user named, each with its settings in order of their names.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&str, Vec<&str>)> {
        let keys = self.origins.keys().filter(|key| named::is_named(key));
        let mut tables: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for key in keys {
            if let Some((end, _)) = key.match_indices('.').nth(1) {
                tables.entry(&key[..end]).or_default().push(&key[end + 1..]);
            }
        }
        tables.into_iter()
    }

    /// The value in force, as TOML text; `None` where there is none.
    pub(crate) fn value(&self, key: &str) -> Option<String> {
        let mut value = &Value::try_from(&self.settings).expect("settings become TOML");
        for name in key.split('.') {
            value = value.get(name)?;
        }
        Some(value.to_string())
    }
}

#[derive(Default)]
struct Layers {
    values: Table,
    origins: BTreeMap<String, Origin>,
}

impl Layers {
    fn file(&mut self, path: &Path) -> Result<(), Failure> {
        let text = std::fs::read_to_string(path).map_err(|cause| Failure {
            kind: Kind::Settings,
            ..Failure::disk("read", path, &cause)
        })?;
        let line_of = |byte: usize| text[..byte].matches('\n').count() + 1;
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(1, |span| line_of(span.start));
            wrong(format!("{}:{line}: {}", path.display(), error.message()))
        })?;
        let spans = DeTable::parse(&text).map_err(|error| wrong(error.to_string()))?;
        let mut places = Vec::new();
        places_of("", spans.get_ref(), &mut places);
        for (key, byte) in places {
            let origin = Origin::File {
                path: path.to_owned(),
                line: line_of(byte),
            };
            match at(&table, &key) {
                Some(value) => self.set(&key, value.clone(), origin)?,
                None => return Err(unknown(&key, &origin)),
            }
        }
        Ok(())
    }

    fn environment(&mut self, variables: impl Iterator<Item = (String, String)>) -> Result<(), Failure> {
        for (name, value) in variables.filter(|(name, _)| name.starts_with("KYMO_")) {
            if OTHER_VARIABLES.contains(&name.as_str()) {
                continue;
            }
            match KNOWN.iter().find(|known| known.variable() == name) {
                Some(known) => self.text(&known.key, &value, Origin::Environment(name))?,
                None => return Err(unknown_variable(&name)),
            }
        }
        Ok(())
    }

    /// A value given as text: the first reading that the setting takes.
    fn text(&mut self, key: &str, text: &str, origin: Origin) -> Result<(), Failure> {
        let as_toml = format!("v = {text}")
            .parse::<Table>()
            .ok()
            .and_then(|mut table| table.remove("v"));
        let as_list = Value::Array(
            text.split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| part.into())
                .collect(),
        );
        let as_text = Value::String(text.to_owned());
        let fitting = as_toml
            .clone()
            .into_iter()
            .chain([as_text.clone(), as_list])
            .find(|value| is_judged_whole(key) || alone(key, value.clone()).is_ok());
        self.set(key, fitting.or(as_toml).unwrap_or(as_text), origin)
    }

    fn set(&mut self, key: &str, value: Value, origin: Origin) -> Result<(), Failure> {
        if is_judged_whole(key) {
            // Judged once the whole table is known.
            put(&mut self.values, key, value);
            self.origins.insert(key.to_owned(), origin);
            return Ok(());
        }
        if known::find(key).is_none() {
            return Err(unknown(key, &origin));
        }
        alone(key, value.clone()).map_err(|error| {
            wrong(format!(
                "{key} cannot be {value} ({origin}): {}",
                error.message().trim_end()
            ))
            .hint(format!("`kymo config explain {key}` says what it takes"))
        })?;
        put(&mut self.values, key, value);
        self.origins.insert(key.to_owned(), origin);
        Ok(())
    }

    fn settings(&self) -> Settings {
        Settings::deserialize(Value::Table(self.values.clone())).expect("each value was tried on its own")
    }
}

fn wrong(message: String) -> Failure {
    Failure::new(Kind::Settings, message).code("invalid_parameter")
}

fn unknown(key: &str, origin: &Origin) -> Failure {
    let failure = Failure::new(Kind::Settings, format!("there is no setting `{key}` ({origin})"))
        .code("invalid_parameter");
    match nearest(key, KNOWN.iter().map(|known| known.key.as_str())) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint("`kymo config` lists all settings"),
    }
}

fn unknown_variable(name: &str) -> Failure {
    let failure = Failure::new(
        Kind::Settings,
        format!("the environment variable {name} sets nothing"),
    )
    .code("invalid_parameter");
    let variables: Vec<_> = KNOWN.iter().map(known::Known::variable).collect();
    let all = variables
        .iter()
        .map(String::as_str)
        .chain(OTHER_VARIABLES.iter().copied());
    match nearest(name, all) {
        Some(near) => failure.hint(format!("did you mean {near}? unset {name} otherwise")),
        None => failure.hint(format!("unset {name}; `kymo config` lists what can be set")),
    }
}

/// Whether a key is in a table that users name, which is judged once all of it is known.
fn is_judged_whole(key: &str) -> bool {
    named::is_named(key) || routes::is_route(key)
}

/// Tries one value with everything else at its default.
fn alone(key: &str, value: Value) -> Result<Settings, toml::de::Error> {
    let mut table = Table::new();
    put(&mut table, key, value);
    Settings::deserialize(Value::Table(table))
}

pub(super) fn put(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((section, rest)) => {
            let inner = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

pub(super) fn at<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    match key.split_once('.') {
        None => table.get(key),
        Some((section, rest)) => at(table.get(section)?.as_table()?, rest),
    }
}

/// Every key of a file with the byte it stands at. Tables that are no section of ours are keys too, so that they are
/// refused by name.
fn places_of(prefix: &str, table: &DeTable<'_>, places: &mut Vec<(String, usize)>) {
    for (name, value) in table {
        // A dot inside a name divides nothing: such a name is none of ours, and stays in its quotes.
        let word = match name.get_ref() {
            word if word.contains('.') => format!("\"{word}\""),
            word => word.to_string(),
        };
        let key = match prefix {
            "" => word,
            prefix => format!("{prefix}.{word}"),
        };
        match value.get_ref().as_table() {
            // A route is one value: what it says of its data has names of its own.
            _ if routes::is_whole(&key) => places.push((key, name.span().start)),
            Some(inner) if is_section(&key) || !inner.is_empty() => places_of(&key, inner, places),
            _ => places.push((key, name.span().start)),
        }
    }
}

fn is_section(key: &str) -> bool {
    KNOWN
        .iter()
        .any(|known| known.section() == key || known.section().starts_with(&format!("{key}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file(text: &str) -> Result<Loaded, Failure> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("kymo.toml"), text).expect("written");
        let mut layers = Layers::default();
        layers.file(&folder.path().join("kymo.toml"))?;
        Ok(Loaded {
            settings: layers.settings(),
            file: None,
            origins: layers.origins,
        })
    }

    #[test]
    fn a_value_of_a_file_remembers_its_line() {
        let loaded = with_file("# mine\n[hub]\nrate_per_source = 500\n").expect("good");
        assert_eq!(loaded.settings.hub.rate_per_source, 500);
        assert!(matches!(
            loaded.origin("hub.rate_per_source"),
            Origin::File { line: 3, .. }
        ));
        assert_eq!(*loaded.origin("hub.ids_max"), Origin::Default);
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_the_nearest_one() {
        let failure = with_file("[ledgr]\nsegment_bytes_max = 1\n").expect_err("unknown");
        assert_eq!(failure.code.as_deref(), Some("invalid_parameter"));
        assert!(
            failure
                .hint
                .expect("a hint")
                .contains("`ledger.segment_bytes_max`")
        );
        let failure = with_file("[server.tls]\n").expect_err("unknown");
        assert!(failure.message.contains("server.tls"), "{}", failure.message);
    }

    #[test]
    fn a_name_with_a_dot_in_quotes_is_unknown_even_where_it_looks_like_a_setting() {
        for text in [
            "\"hub.ids_max\" = 5\n",
            "[hub]\n\"a.b\" = 5\n",
            "\"hub.ids_max\" = 5\n[hub]\nids_max = 7\n",
        ] {
            let failure = with_file(text).expect_err("unknown");
            assert_eq!(failure.code.as_deref(), Some("invalid_parameter"), "{text}");
        }
    }

    #[test]
    fn a_value_of_the_wrong_kind_names_the_key_and_its_place() {
        let failure = with_file("[server]\nlisten = 7700\n").expect_err("no address");
        assert!(
            failure.message.starts_with("server.listen cannot be 7700"),
            "{}",
            failure.message
        );
        assert!(failure.message.contains("kymo.toml:2"), "{}", failure.message);
    }

    #[test]
    fn the_environment_wins_over_the_file_and_takes_lists_and_numbers_as_text() {
        let mut layers = Layers::default();
        layers
            .set("hub.ids_max", Value::Integer(5), Origin::Default)
            .expect("good");
        let variables = [
            ("KYMO_HUB_IDS_MAX", "7"),
            ("KYMO_SERVER_ORIGINS", "https://a.example, https://b.example"),
            ("KYMO_WATCH_SOURCE", "42"),
            ("KYMO_SERVER_LISTEN", "127.0.0.1:0"),
            ("KYMO_TOKEN", "not a setting"),
        ];
        layers
            .environment(variables.iter().map(|(a, b)| (a.to_string(), b.to_string())))
            .expect("good");
        let settings = layers.settings();
        assert_eq!(settings.hub.ids_max, 7);
        assert_eq!(
            settings.server.origins,
            ["https://a.example", "https://b.example"]
        );
        assert_eq!(settings.watch.source, "42");
        assert_eq!(settings.server.listen.port(), 0);
    }

    #[test]
    fn an_unknown_variable_is_an_error_that_names_the_nearest_one() {
        let mut layers = Layers::default();
        let variables = [("KYMO_SERVER_LISTN".to_owned(), "x".to_owned())];
        let failure = layers.environment(variables.into_iter()).expect_err("unknown");
        assert!(failure.hint.expect("a hint").contains("KYMO_SERVER_LISTEN"));
    }
}
