//! What is said of a folder, as events.

use std::{
    path::{Component, Path},
    time::SystemTime,
};

use kymo_event::{Event, Level};
use serde_json::{Map, Value};

use crate::clock;

/// The data of a `file.*` event.
#[derive(Default, serde::Serialize)]
pub(super) struct FileData<'a> {
    /// Relative to the folder, `/` between names.
    pub(super) path: String,
    pub(super) folder: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) directory: bool,
    /// Files in a directory that was renamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) files: Option<u64>,
    /// Renamed over a file that was there.
    #[serde(skip_serializing_if = "is_false")]
    pub(super) replaced: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) language: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lines: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) added: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) removed: Option<u64>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) binary: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) symlink: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) modified: Option<String>,
    /// A name is not UTF-8 and is given with replacement characters.
    #[serde(skip_serializing_if = "is_false")]
    pub(super) lossy: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the shape serde asks for
fn is_false(value: &bool) -> bool {
    !value
}

/// A path as events write it, and whether it could be written as it is.
pub(super) fn path_text(path: &Path) -> (String, bool) {
    let mut lossy = false;
    let names: Vec<_> = path
        .components()
        .map(|component| {
            let name = match component {
                Component::RootDir => return String::new().into(),
                other => other.as_os_str().to_string_lossy(),
            };
            lossy |= matches!(name, std::borrow::Cow::Owned(_));
            name
        })
        .collect();
    (names.join("/"), lossy)
}

/// Makes the events of one folder.
pub(super) struct Reporter {
    source: String,
    folder: String,
}

impl Reporter {
    pub(super) fn new(source: &str, root: &Path) -> Self {
        Self {
            source: source.to_owned(),
            folder: root.to_string_lossy().into_owned(),
        }
    }

    pub(super) fn folder(&self) -> &str {
        &self.folder
    }

    pub(super) fn file(&self, kind: &'static str, data: &FileData<'_>, at: SystemTime) -> Event<'static> {
        let data = serde_json::to_string(data).expect("strings and numbers are JSON");
        self.event(kind, Level::Info, data, at)
    }

    /// Anything else: its data gets the folder.
    pub(super) fn other(
        &self,
        kind: &'static str,
        level: Level,
        mut data: Map<String, Value>,
    ) -> Event<'static> {
        data.insert("folder".into(), self.folder.as_str().into());
        self.event(kind, level, Value::Object(data).to_string(), SystemTime::now())
    }

    fn event(&self, kind: &'static str, level: Level, data: String, at: SystemTime) -> Event<'static> {
        let mut event = Event::new(kind, self.source.clone());
        event.id = Some(clock::new_id().into());
        event.time = Some(clock::micros(at));
        event.level = level;
        event.data = Some(data.into());
        event
    }
}
