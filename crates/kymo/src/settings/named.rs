//! Tables that users name: `[sources.NAME]` and `[sinks.NAME]`, whose `kind` says which settings they have.
//!
//! Which there are stands in `default.toml` as commented examples, one table for each kind.
use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;
use toml::{Table, Value};

use super::{
    Settings,
    known::{DEFAULT_TOML, Known, nearest, read_examples},
    layers::Origin,
};
use crate::failure::{Failure, Kind};

/// The sections whose tables users name.
const SECTIONS: [&str; 2] = ["sources", "sinks"];
/// What names a table.
const KIND: &str = "kind";
const NAME_BYTES_MAX: usize = 64;

/// The settings of one kind of table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Example {
    /// `sources` or `sinks`.
    pub(crate) section: String,
    /// The kind.
    pub(crate) kind: String,
    /// Its settings, `kind` first; their keys begin with the name of the example.
    pub(crate) settings: Vec<Known>,
}

impl Example {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.settings.iter().map(|known| self.name_of(known))
    }

    /// The name of one of its settings within its table.
    fn name_of<'k>(&self, known: &'k Known) -> &'k str {
        let mut parts = known.key.splitn(3, '.');
        parts.nth(2).unwrap_or_default()
    }
}

/// Every kind of table, in the order of the file.
pub(crate) static EXAMPLES: LazyLock<Vec<Example>> = LazyLock::new(|| {
    let tables = read_examples(DEFAULT_TOML);
    let example = |settings: Vec<Known>| {
        let first = &settings[0];
        Example {
            section: first.key.split('.').next().unwrap_or_default().to_owned(),
            kind: first.value.trim_matches('"').to_owned(),
            settings,
        }
    };
    tables.into_iter().map(example).collect()
});

/// Whether a key is in a table that a user named, or is such a table.
pub(super) fn is_named(key: &str) -> bool {
    let section = key.split('.').next().unwrap_or_default();
    SECTIONS.contains(&section)
}

/// Judges every table that a user named. Values that came as text become lists where the setting wants one.
pub(super) fn judge(values: &mut Table, origins: &BTreeMap<String, Origin>) -> Result<(), Failure> {
    for section in SECTIONS {
        let Some(tables) = values.get_mut(section) else {
            continue;
        };
        let place = |key: &str| {
            let within = |origin: &&String| origin.starts_with(key);
            let origin = origins.keys().find(within).and_then(|key| origins.get(key));
            origin.cloned().unwrap_or(Origin::Default)
        };
        let Some(tables) = tables.as_table_mut() else {
            let message = format!("`{section}` is no setting ({})", place(section));
            return Err(wrong(message).hint(format!("begin a table with [{section}.NAME]")));
        };
        for (name, table) in tables {
            let key = format!("{section}.{name}");
            Judge {
                section,
                key: &key,
                place: &place,
            }
            .table(name, table)?;
        }
    }
    Ok(())
}

struct Judge<'j> {
    section: &'static str,
    key: &'j str,
    place: &'j dyn Fn(&str) -> Origin,
}

impl Judge<'_> {
    fn table(&self, name: &str, table: &mut Value) -> Result<(), Failure> {
        let place = (self.place)(self.key);
        let is_fit = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(is_fit) {
            let message = format!(
                "`{name}` cannot be the name of a table of [{}] ({place})",
                self.section
            );
            return Err(wrong(message).hint("use letters, digits, - and _"));
        }
        let Some(table) = table.as_table_mut() else {
            let message = format!("`{}` is no setting ({place})", self.key);
            return Err(wrong(message).hint(format!("begin a table with [{}]", self.key)));
        };
        let example = self.example(table)?;
        let mut leaves = Vec::new();
        leaves_of("", table, &mut leaves);
        for leaf in &leaves {
            self.leaf(leaf, table, example)?;
        }
        self.whole(table)
    }

    fn example(&self, table: &Table) -> Result<&'static Example, Failure> {
        let kinds = || EXAMPLES.iter().filter(|example| example.section == self.section);
        let all = || {
            let kinds: Vec<_> = kinds().map(|example| format!("\"{}\"", example.kind)).collect();
            kinds.join(", ")
        };
        let Some(kind) = table.get(KIND) else {
            let message = format!("[{}] has no `kind` ({})", self.key, (self.place)(self.key));
            return Err(wrong(message).hint(format!("say which it is: {}", all())));
        };
        let kind = kind.as_str().unwrap_or_default();
        kinds().find(|example| example.kind == kind).ok_or_else(|| {
            let key = format!("{}.{KIND}", self.key);
            let failure = wrong(format!("{key} cannot be \"{kind}\" ({})", (self.place)(&key)));
            match nearest(kind, kinds().map(|example| &*example.kind)) {
                Some(near) => failure.hint(format!("did you mean \"{near}\"?")),
                None => failure.hint(format!("it can be {}", all())),
            }
        })
    }

    /// One setting: whether there is such a one, and whether it takes this value.
    fn leaf(&self, leaf: &str, table: &mut Table, example: &Example) -> Result<(), Failure> {
        let key = format!("{}.{leaf}", self.key);
        let place = (self.place)(&key);
        if !example.names().any(|name| name == leaf) {
            let failure = wrong(format!("there is no setting `{key}` ({place})"));
            return Err(match nearest(leaf, example.names()) {
                Some(near) => failure.hint(format!("did you mean `{}.{near}`?", self.key)),
                None => failure.hint(format!(
                    "a table of kind \"{}\" has: {}",
                    example.kind,
                    example.names().collect::<Vec<_>>().join(", ")
                )),
            });
        }
        let value = super::layers::at(table, leaf)
            .cloned()
            .unwrap_or(Value::Boolean(false));
        let alone = |value: Value| {
            let mut alone = Table::new();
            alone.insert(KIND.into(), example.kind.clone().into());
            super::layers::put(&mut alone, leaf, value);
            self.read(alone)
        };
        let Err(error) = alone(value.clone()) else {
            return Ok(());
        };
        // What came as text may be a list of one.
        if let Value::String(_) = &value
            && let list = Value::Array(vec![value.clone()])
            && alone(list.clone()).is_ok()
        {
            super::layers::put(table, leaf, list);
            return Ok(());
        }
        let message = error.message().trim_end().to_owned();
        let value = kymo_connect::without_userinfo(&value.to_string());
        let message = kymo_connect::without_userinfo(&message);
        Err(wrong(format!("{key} cannot be {value} ({place}): {message}")))
    }

    fn whole(&self, table: &Table) -> Result<(), Failure> {
        let place = (self.place)(self.key);
        let settings = self.read(table.clone()).map_err(|error| {
            wrong(format!(
                "[{}] ({place}): {}",
                self.key,
                error.message().trim_end()
            ))
        })?;
        match settings.bridges().problem() {
            Some(problem) => Err(wrong(format!("[{}] ({place}): {problem}", self.key))),
            None => Ok(()),
        }
    }

    fn read(&self, table: Table) -> Result<Settings, toml::de::Error> {
        let name = self.key.split('.').nth(1).unwrap_or_default();
        let mut named = Table::new();
        named.insert(name.to_owned(), Value::Table(table));
        let mut all = Table::new();
        all.insert(self.section.to_owned(), Value::Table(named));
        Settings::deserialize(Value::Table(all))
    }
}

fn leaves_of(prefix: &str, table: &Table, leaves: &mut Vec<String>) {
    for (name, value) in table {
        let key = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        match value {
            Value::Table(inner) if !inner.is_empty() => leaves_of(&key, inner, leaves),
            _ => leaves.push(key),
        }
    }
}

fn wrong(message: String) -> Failure {
    Failure::new(Kind::Settings, message).code("invalid_parameter")
}

#[cfg(test)]
mod tests {
    use kymo_connect::{
        FileSink, NatsSink, NatsSource, RedisSink, RedisSource, SinkSettings, SourceSettings, TailSettings,
    };

    use super::*;

    fn load(text: &str, sets: &[&str]) -> Result<crate::settings::Loaded, Failure> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("kymo.toml");
        std::fs::write(&path, text).expect("written");
        let args = crate::settings::SettingsArgs {
            config: Some(path),
            set: sets.iter().map(|set| (*set).to_owned()).collect(),
        };
        crate::settings::Loaded::load(&args, folder.path(), &[])
    }

    fn nats(source: &SourceSettings) -> &NatsSource {
        match source {
            SourceSettings::Nats(settings) => settings,
            other => panic!("{other:?}"),
        }
    }

    fn refused(text: &str) -> String {
        let failure = load(text, &[]).expect_err("it is wrong");
        assert_eq!(failure.code.as_deref(), Some("invalid_parameter"), "{text}");
        format!("{} ({})", failure.message, failure.hint.unwrap_or_default())
    }

    #[test]
    fn tables_are_named_by_users_and_have_the_settings_of_their_kind() {
        let text = "[sources.a]\nkind = \"nats\"\nsubjects = [\"x\"]\n[sources.b-2]\nkind = \"nats\"\n[sinks.a]\nkind = \"nats\"\n";
        let loaded = load(
            text,
            &[
                "sources.a.stream=S",
                "sources.c.kind=nats",
                "sources.c.subjects=y.>",
            ],
        )
        .expect("good");
        let a = nats(&loaded.settings.sources["a"]);
        assert_eq!(
            (&*a.subjects, a.stream.as_deref()),
            (&["x".to_owned()][..], Some("S"))
        );
        let b = nats(&loaded.settings.sources["b-2"]);
        assert_eq!(*b, NatsSource::default());
        let c = nats(&loaded.settings.sources["c"]);
        assert_eq!(c.subjects, ["y.>"], "text is a list where one is wanted");
        assert_eq!(loaded.settings.sinks.len(), 1);
        assert!(matches!(
            loaded.origin("sources.a.subjects"),
            Origin::File { line: 3, .. }
        ));
        let named: Vec<_> = loaded
            .named()
            .map(|(table, names)| (table.to_owned(), names.join(" ")))
            .collect();
        assert_eq!(
            named[1],
            ("sources.a".to_owned(), "kind stream subjects".to_owned())
        );
    }

    #[test]
    fn what_is_wrong_with_a_table_is_said_with_its_place_and_the_nearest_word() {
        for (text, said) in [
            ("[sources.a]\n", "[sources.a] has no `kind`"),
            ("[sources.a]\nkind = \"nast\"\n", "did you mean \"nats\"?"),
            (
                "[sources.a]\nkind = \"nats\"\nsubject = \"x\"\n",
                "did you mean `sources.a.subjects`?",
            ),
            (
                "[sources.a]\nkind = \"nats\"\nwaiting_max = \"x\"\n",
                "kymo.toml:3",
            ),
            (
                "[sources.a]\nkind = \"nats\"\nsubjects = [\"a..b\"]\n",
                "is no subject",
            ),
            (
                "[sources.a]\nkind = \"nats\"\nsubjects = [\"a.>\", \"a.b\"]\n",
                "would come twice",
            ),
            (
                "[sources.a]\nkind = \"nats\"\ndialect = \"x\"\n",
                "there is no dialect",
            ),
            ("[sources.a]\nkind = \"nats\"\nuser = \"x\"\n", "go together"),
            ("[sinks.a]\nkind = \"nats\"\nsubject = \"a.{typ}\"\n", "{type}"),
            (
                "[sinks.a]\nkind = \"nats\"\nfilter = \"(\"\n",
                "`filter` cannot be read",
            ),
            (
                "[sources.a]\nkind = \"redis\"\nstreams = [\"s\", \"s\"]\n",
                "has \"s\" twice",
            ),
            ("[sources.a]\nkind = \"redis\"\nstreams = []\n", "name `streams`"),
            (
                "[sources.a]\nkind = \"redis\"\nurl = \"redis://egor:s3cret@h#insecure\"\n",
                "\"redis://h#insecure\": it has more than an address",
            ),
            (
                "[sources.a]\nkind = \"redis\"\nurl = \"http://h\"\n",
                "write redis://HOST:PORT",
            ),
            ("[sinks.a]\nkind = \"redis\"\ntls_ca = \"x\"\n", "write rediss://"),
            (
                "[sinks.a]\nkind = \"redis\"\nstream = \"\"\nchannel = \"\"\n",
                "or both",
            ),
            (
                "[sinks.a]\nkind = \"redis\"\nchannels = \"x\"\n",
                "did you mean `sinks.a.channel`?",
            ),
            (
                "[sinks.\"a b\"]\nkind = \"nats\"\n",
                "cannot be the name of a table",
            ),
            ("sources = 7\n", "begin a table with [sources.NAME]"),
            ("[sources]\na = 7\n", "begin a table with [sources.a]"),
        ] {
            let message = refused(text);
            assert!(message.contains(said), "{text}: {message}");
        }
    }

    #[test]
    fn every_setting_of_every_kind_is_in_the_embedded_file_explained_and_with_its_default() {
        let source = serde_json::to_value(SourceSettings::Nats(NatsSource::default())).expect("JSON");
        let sink = serde_json::to_value(SinkSettings::Nats(NatsSink::default())).expect("JSON");
        let tail = serde_json::to_value(SourceSettings::Tail(TailSettings::default())).expect("JSON");
        let file = serde_json::to_value(SinkSettings::File(FileSink::default())).expect("JSON");
        let redis_source = serde_json::to_value(SourceSettings::Redis(RedisSource::default())).expect("JSON");
        let redis_sink = serde_json::to_value(SinkSettings::Redis(RedisSink::default())).expect("JSON");
        let all = [
            ("sources", tail),
            ("sources", source),
            ("sources", redis_source),
            ("sinks", file),
            ("sinks", sink),
            ("sinks", redis_sink),
        ];
        assert_eq!(EXAMPLES.len(), all.len());
        for (section, settings) in all {
            let kind = settings["kind"].as_str().expect("a kind");
            let of_kind = |example: &&Example| example.section == section && example.kind == kind;
            let example = EXAMPLES.iter().find(of_kind).expect("an example");
            let mut known: Vec<_> = example.names().collect();
            let mut there: Vec<_> = settings
                .as_object()
                .expect("an object")
                .keys()
                .map(|key| &**key)
                .collect();
            known.sort_unstable();
            there.sort_unstable();
            // Some leave out what is not set.
            assert!(there.iter().all(|key| known.contains(key)), "{known:?} {there:?}");
            assert!(kind == "tail" || known == there, "{known:?} {there:?}");
            for setting in &example.settings {
                assert!(setting.about.ends_with('.'), "{} is not explained", setting.key);
                let default = &settings[example.name_of(setting)];
                // What has no default of its own has an example.
                let is_empty = default.as_array().is_some_and(Vec::is_empty) || default == "";
                if !default.is_null() && !is_empty {
                    assert_eq!(
                        default.to_string().replace(',', ", "),
                        setting.value,
                        "{}",
                        setting.key
                    );
                }
            }
        }
    }
}
