//! The settings that exist, read from the embedded `default.toml`: its words are the explanation of each.
use std::sync::LazyLock;

/// The commented defaults, as `kymo config default` prints them.
pub(crate) const DEFAULT_TOML: &str = include_str!("default.toml");

/// One setting.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// `section.name`
    pub(crate) key: String,
    /// What it does, in sentences.
    pub(crate) about: String,
    /// The text of the default; of an example where the default is to have none.
    pub(crate) value: String,
    /// Whether it is left out by default.
    pub(crate) optional: bool,
}

impl Known {
    /// The section, as it stands between brackets.
    pub(crate) fn section(&self) -> &str {
        self.key.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// The name within the section.
    pub(crate) fn name(&self) -> &str {
        self.key.rsplit_once('.').map_or(&self.key, |(_, name)| name)
    }

    /// Whether it is in this section, or in a table of it.
    pub(crate) fn is_in(&self, section: &str) -> bool {
        self.key
            .strip_prefix(section)
            .is_some_and(|rest| rest.starts_with('.'))
    }

    /// The environment variable that sets it.
    pub(crate) fn variable(&self) -> String {
        format!("KYMO_{}", self.key.replace('.', "_").to_uppercase())
    }
}

/// All settings in the order of the file.
pub(crate) static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| read(DEFAULT_TOML));

/// The setting of this name.
pub(crate) fn find(key: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.key == key)
}

/// The known word that is most like `word`, if any is.
pub(crate) fn nearest<'a>(word: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    words
        .map(|known| (strsim::normalized_damerau_levenshtein(word, known), known))
        .filter(|(likeness, _)| *likeness > 0.5)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// The examples of tables that users name, each with its settings; they are left out, header and all.
pub(super) fn read_examples(text: &str) -> Vec<Vec<Known>> {
    let Some(start) = text.find("\n#[") else {
        return Vec::new();
    };
    let tables = text[start..].split("\n#[").skip(1);
    tables.map(|table| read(&format!("[{table}"))).collect()
}

fn read(text: &str) -> Vec<Known> {
    let mut section = String::new();
    let mut about: Vec<&str> = Vec::new();
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            break;
        } else if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
        } else if let Some(comment) = line.strip_prefix("# ") {
            about.push(comment);
            continue;
        } else if let Some((name, value)) = line.split_once(" = ") {
            let optional = name.starts_with('#');
            found.push(Known {
                key: format!("{section}.{}", name.trim_start_matches('#')),
                about: about.join(" "),
                value: value.to_owned(),
                optional,
            });
        }
        about.clear();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn the_embedded_file_says_what_the_defaults_are() {
        let written: Settings = toml::from_str(DEFAULT_TOML).expect("default.toml is understood");
        assert_eq!(written, Settings::default());
    }

    #[test]
    fn every_setting_is_in_the_embedded_file_and_explained() {
        let all = serde_json::to_value(Settings::default()).expect("settings become JSON");
        let mut keys = Vec::new();
        leaves("", &all, &mut keys);
        keys.sort();
        let mut known: Vec<_> = KNOWN.iter().map(|known| known.key.clone()).collect();
        known.sort();
        assert_eq!(known, keys);
        for known in KNOWN.iter() {
            assert!(
                known.about.ends_with('.') || known.about.ends_with("\"."),
                "{} is not explained",
                known.key
            );
        }
    }

    #[test]
    fn examples_of_optional_settings_are_values_they_can_have() {
        let uncommented = DEFAULT_TOML
            .lines()
            .map(|line| {
                line.strip_prefix('#')
                    .filter(|rest| !rest.starts_with(' '))
                    .unwrap_or(line)
            })
            .collect::<Vec<_>>()
            .join("\n");
        toml::from_str::<Settings>(&uncommented).expect("every example is understood");
    }

    fn leaves(prefix: &str, value: &serde_json::Value, keys: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(map) => {
                for (name, value) in map {
                    let key = if prefix.is_empty() {
                        name.clone()
                    } else {
                        format!("{prefix}.{name}")
                    };
                    leaves(&key, value, keys);
                }
            }
            _ => keys.push(prefix.to_owned()),
        }
    }
}
