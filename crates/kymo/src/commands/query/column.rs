//! One value of an event by the name people give it: an envelope key, or a path into `data` or `ext`.
use std::str::FromStr;

use kymo_event::{LineView, filter::Key};
use serde_json::Value;

/// Envelope keys by their names in the line.
const KEYS: &[(&str, Key)] = &[
    ("id", Key::Id),
    ("type", Key::Type),
    ("source", Key::Source),
    ("level", Key::Level),
    ("agent", Key::Agent),
    ("session", Key::Session),
    ("task", Key::Task),
    ("trace", Key::Trace),
    ("span", Key::Span),
    ("parent", Key::Parent),
    ("user", Key::User),
    ("tier", Key::Tier),
    ("dialect", Key::Dialect),
];

/// A value to group by.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    name: String,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Key(Key),
    Data(Vec<String>),
    Ext(Vec<String>),
}

impl FromStr for Column {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let path = |rest: &str| rest.split('.').map(str::to_owned).collect();
        let what = if let Some((_, key)) = KEYS.iter().find(|(known, _)| *known == name) {
            What::Key(*key)
        } else if let Some(rest) = name.strip_prefix("data.") {
            What::Data(path(rest))
        } else if let Some(rest) = name.strip_prefix("ext.") {
            What::Ext(path(rest))
        } else {
            if let "data" | "ext" = name {
                return Err(format!("name a field of it, such as {name}.tool"));
            }
            let names = KEYS.iter().map(|(known, _)| *known);
            let known = names.clone().collect::<Vec<_>>().join(", ");
            return Err(match crate::settings::nearest(name, names) {
                Some(near) => {
                    format!("did you mean `{near}`, or data.{name}? keys are {known}, data.… and ext.…")
                }
                None => format!("did you mean data.{name}? keys are {known}, data.… and ext.…"),
            });
        };
        Ok(Self {
            name: name.to_owned(),
            what,
        })
    }
}

impl Column {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The value as text: strings decoded, all else as JSON. `None`: the event has none.
    pub(crate) fn value(&self, line: &LineView<'_>) -> Option<String> {
        match &self.what {
            What::Key(Key::Type) => Some(line.kind().into_owned()),
            What::Key(Key::Source) => Some(line.source().into_owned()),
            What::Key(Key::Level) => Some(line.level().as_str().to_owned()),
            What::Key(Key::Id) => line.id().map(|id| id.into_owned()),
            What::Key(key) => line.key(*key).map(|value| value.into_owned()),
            What::Data(path) => value_at(line.data()?, path),
            What::Ext(path) => value_at(line.ext()?, path),
        }
    }
}

fn value_at(json: &str, path: &[String]) -> Option<String> {
    let mut value = &serde_json::from_str::<Value>(json).ok()?;
    for name in path {
        value = match value {
            Value::Array(items) => items.get(name.parse::<usize>().ok()?)?,
            other => other.get(name)?,
        };
    }
    Some(match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}

/// The columns of `--csv`.
pub(super) const CSV_HEADER: &str =
    "seq,recorded,time,type,source,level,agent,session,task,trace,backfill,data";

/// An event as a row of `--csv` (RFC 4180).
pub(super) fn csv_row(line: &LineView<'_>) -> String {
    let key = |key: Key| line.key(key).map(|value| value.into_owned()).unwrap_or_default();
    let cells = [
        line.seq().to_string(),
        line.recorded().to_string(),
        line.time().to_string(),
        line.kind().into_owned(),
        line.source().into_owned(),
        line.level().as_str().to_owned(),
        key(Key::Agent),
        key(Key::Session),
        key(Key::Task),
        key(Key::Trace),
        if line.backfill() { "true" } else { "" }.to_owned(),
        line.data().unwrap_or_default().to_owned(),
    ];
    cells
        .iter()
        .map(|cell| csv_cell(cell))
        .collect::<Vec<_>>()
        .join(",")
}

/// Quoted where it must be.
pub(super) fn csv_cell(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reaches_into_objects_and_lists_and_strings_come_decoded() {
        let path = |path: &str| path.split('.').map(str::to_owned).collect::<Vec<_>>();
        let json = r#"{"tool":{"name":"Bash\u0021","args":[1,{"x":true}]}}"#;
        assert_eq!(value_at(json, &path("tool.name")).as_deref(), Some("Bash!"));
        assert_eq!(value_at(json, &path("tool.args.1.x")).as_deref(), Some("true"));
        assert_eq!(value_at(json, &path("tool.none")), None);
    }

    #[test]
    fn an_unknown_key_proposes_a_path_into_data() {
        let error = "language".parse::<Column>().expect_err("no envelope key");
        assert!(error.contains("data.language"), "{error}");
        let error = "agents".parse::<Column>().expect_err("no envelope key");
        assert!(error.contains("`agent`"), "{error}");
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        assert_eq!(csv_cell("a"), "a");
        assert_eq!(csv_cell("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
