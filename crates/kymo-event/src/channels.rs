//! Channels: names of simple filters (`global`, `agent:planner`, `type:task`, a bare source).
//!
//! A channel is what a client subscribes to when it knows no filter language. Values are taken as they are: no
//! quotes, no patterns, no comparisons. Whoever wants more gives a [`Filter`] beside the channels.

use crate::{
    Filter,
    filter::{FilterError, Key, Node, Test},
    fold_separators,
};

/// A channel name that was understood.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Channel(String);

/// The words before a channel's colon.
const KINDS: &[Key] = &[
    Key::Source,
    Key::User,
    Key::Tier,
    Key::Agent,
    Key::Session,
    Key::Task,
    Key::Trace,
    Key::Type,
];

/// Longest name; no value of an event that channels are made of is nearly as long.
const NAME_BYTES_MAX: usize = 4_096;

impl Channel {
    /// Reads `global`, `source:<s>`, `user:`, `tier:`, `agent:`, `session:`, `task:`, `trace:`, `type:<prefix>`, or a
    /// bare source name.
    pub fn parse(name: &str) -> Result<Self, FilterError> {
        if name.is_empty() {
            return fault(0, "a channel has a name; write global for everything");
        }
        if name.len() > NAME_BYTES_MAX {
            return fault(0, format!("a channel's name has at most {NAME_BYTES_MAX} bytes"));
        }
        match name.split_once(':') {
            None => Ok(Self(name.to_owned())),
            Some((kind, _)) if kind_of(kind).is_none() => fault(0, unknown_kind(kind, name)),
            Some((kind, "")) => fault(
                kind.chars().count() + 1,
                format!(
                    "a value is missing after `{kind}:`; write for example {kind}:x, or global for everything"
                ),
            ),
            Some((kind, value)) if kind == "type" && prefix(value).is_empty() => fault(
                kind.len() + 1,
                "a type channel names the beginning of a type, as in type:task; write global for everything",
            ),
            Some(_) => Ok(Self(name.to_owned())),
        }
    }

    /// Reads names with commas between them, as in `?channels=memory,agent:planner`. Blanks around names and empty
    /// names are skipped, so an empty text is no channel at all. A fault's position is that in the whole list.
    pub fn parse_list(names: &str) -> Result<Vec<Self>, FilterError> {
        let mut channels = Vec::new();
        let mut at = 0;
        for part in names.split(',') {
            let name = part.trim();
            if !name.is_empty() {
                let blanks = part.chars().take_while(|c| c.is_whitespace()).count();
                channels.push(Self::parse(name).map_err(|error| FilterError {
                    at: error.at + at + blanks,
                    ..error
                })?);
            }
            at += part.chars().count() + 1;
        }
        Ok(channels)
    }

    /// The name as given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The filter this channel is a name of.
    #[must_use]
    pub fn filter(&self) -> Filter {
        Filter::from_node(self.node())
    }

    /// The union of channels; no channel means everything.
    #[must_use]
    pub fn union(channels: &[Self]) -> Filter {
        match channels {
            [] => Filter::all(),
            channels => Filter::from_node(Node::Or(channels.iter().map(Self::node).collect())),
        }
    }

    fn node(&self) -> Node {
        let is = |key, value: &str| Node::Key(key, Test::Is(value.to_owned()));
        match self.0.split_once(':') {
            None if self.0 == "global" => Node::All,
            None => is(Key::Source, &self.0),
            Some((kind, value)) => match kind_of(kind).expect("checked when the name was read") {
                Key::Type => type_node(prefix(value)),
                key => is(key, value),
            },
        }
    }
}

fn kind_of(word: &str) -> Option<Key> {
    KINDS.iter().copied().find(|key| key.as_str() == word)
}

/// The type `task` itself, and every type below it (`task.started`, `task_started`), but not `tasks`.
fn type_node(prefix: &str) -> Node {
    let prefix = fold_separators(prefix);
    Node::Or(vec![
        Node::Key(Key::Type, Test::Prefix(format!("{prefix}."))),
        Node::Key(Key::Type, Test::Is(prefix.into_owned())),
    ])
}

/// `task` of `task`, `task.` and `task.*`.
fn prefix(value: &str) -> &str {
    value
        .trim_end_matches('*')
        .trim_end_matches(|c: char| c.is_ascii() && crate::is_separator(c as u8))
}

fn unknown_kind(kind: &str, name: &str) -> String {
    let kinds: Vec<String> = KINDS.iter().map(|key| format!("{}:", key.as_str())).collect();
    let near = KINDS
        .iter()
        .find(|key| strsim::damerau_levenshtein(key.as_str(), &kind.to_lowercase()) <= 1)
        .map(|key| format!("the nearest is `{}:`, ", key.as_str()))
        .unwrap_or_default();
    format!(
        "`{kind}:` is no kind of channel; {near}there are global, {}; a source with a colon is written source:{name}",
        kinds.join(", ")
    )
}

fn fault<T>(at: usize, message: impl Into<String>) -> Result<T, FilterError> {
    Err(FilterError {
        at,
        message: message.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter_of(name: &str) -> Filter {
        Channel::parse(name).unwrap().filter()
    }

    #[test]
    fn every_channel_is_the_name_of_a_filter() {
        for (name, filter) in [
            ("global", ""),
            ("memory", "source:memory"),
            ("source:memory", "source:memory"),
            ("source:global", "source:global"),
            (
                "source:https://ci.example/a,b",
                "source:\"https://ci.example/a,b\"",
            ),
            ("user:egor", "user:egor"),
            ("tier:gold", "tier:gold"),
            ("agent:a*", "agent:\"a*\""),
            ("session:3f2a", "session:3f2a"),
            ("task:demo-001", "task:demo-001"),
            ("trace:5b8e", "trace:5b8e"),
            ("type:task", "type:task OR type:task.*"),
            ("type:task.*", "type:task OR type:task.*"),
            ("type:task_", "type:task OR type:task.*"),
            ("type:memory:node", "type:memory.node OR type:memory.node.*"),
        ] {
            assert_eq!(filter_of(name), Filter::parse(filter).unwrap(), "{name}");
        }
    }

    #[test]
    fn a_name_that_is_none_is_refused_with_what_to_write() {
        for (name, at, says) in [
            ("", 0, "global"),
            ("agnet:x", 0, "the nearest is `agent:`"),
            ("level:warn", 0, "is no kind of channel"),
            ("https://ci.example", 0, "source:https://ci.example"),
            ("agent:", 6, "a value is missing"),
            ("type:*", 5, "type:task"),
        ] {
            let error = Channel::parse(name).unwrap_err();
            assert_eq!(error.at, at, "{name}: {error}");
            assert!(error.message.contains(says), "{name}: {error}");
        }
    }

    #[test]
    fn a_union_takes_what_any_of_its_channels_takes_and_no_channel_is_everything() {
        let list = |names| Channel::parse_list(names).unwrap();
        assert!(Channel::union(&[]).is_all());
        assert!(Channel::union(&list("memory,global")).is_all());
        assert_eq!(
            Channel::union(&list("memory, agent:planner")),
            Filter::parse("agent:planner OR source:memory").unwrap()
        );
        assert_eq!(
            Channel::union(&list("a,b")),
            Channel::union(&list("b,a,source:a"))
        );
    }

    #[test]
    fn a_list_is_divided_at_its_commas_and_its_faults_are_found_in_it() {
        let names: Vec<String> = Channel::parse_list(" memory,, agent:planner ,")
            .unwrap()
            .iter()
            .map(|channel| channel.name().to_owned())
            .collect();
        assert_eq!(names, ["memory", "agent:planner"]);
        assert!(Channel::parse_list("").unwrap().is_empty());
        assert_eq!(Channel::parse_list("이름, agnet:x").unwrap_err().at, 4);
    }
}
