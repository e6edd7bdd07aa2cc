//! Writes events down for later.
//!
//! What [`SpoolWriter::append`] has returned from is on disk as whole lines, whoever takes the file away meanwhile.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde_json::value::RawValue;

use super::claims::is_still_at;
use crate::clock;

/// Appends events to this process's own spool file. Events without an id get one here, and a time if they have none, so
/// that they arrive once and say when they happened. An event with an id stays as it is: it may have been stored
/// already, and with a time of ours it would be another one.
pub struct SpoolWriter {
    path: PathBuf,
}

impl SpoolWriter {
    /// Makes the folder where absent. The file itself appears with the first event.
    pub fn create(spool: &Path) -> io::Result<Self> {
        fs::create_dir_all(spool)?;
        let name = format!("{}-{}.jsonl", std::process::id(), uuid::Uuid::now_v7().simple());
        Ok(Self {
            path: spool.join(name),
        })
    }

    /// Appends native event lines (JSON objects without line feed): all of them, or on an error none.
    pub fn append(&mut self, records: &[String]) -> io::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let mut lines = String::with_capacity(records.iter().map(|record| record.len() + 100).sum());
        for record in records {
            lines.push_str(&with_identity(record)?);
            lines.push('\n');
        }
        let mut file = self.open()?;
        let before = file.metadata()?.len();
        let written = file.write_all(lines.as_bytes()).and_then(|()| file.sync_data());
        if written.is_err() {
            // Half a line would spoil the next one.
            file.set_len(before)?;
        } else if before == 0 {
            sync_folder(&self.path)?;
        }
        written
    }

    /// Where.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file under the lock, and certainly not one that was taken away between opening and locking.
    fn open(&self) -> io::Result<File> {
        loop {
            let mut options = OpenOptions::new();
            options.append(true).create(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(&self.path)?;
            lock(&file)?;
            if is_still_at(&file, &self.path) {
                return Ok(file);
            }
        }
    }
}

fn lock(file: &File) -> io::Result<()> {
    match file.lock() {
        // Some network file systems have no locks; there the moment has to be enough.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        other => other,
    }
}

/// A new file survives a power cut only when its folder is on disk too.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

/// The record with an `id`, and with a `time` where it had neither; every other token stays as it is.
pub(super) fn with_identity(record: &str) -> io::Result<String> {
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
    if record.contains(['\n', '\r']) {
        return Err(invalid("a spooled event must be one line".into()));
    }
    let Members(members) = serde_json::from_str(record)
        .map_err(|error| invalid(format!("a spooled event must be a JSON object: {error}")))?;
    // An empty id is none, as it is for whoever reads the spool.
    let has = |key: &str| {
        members
            .iter()
            .any(|(name, value)| name == key && !matches!(value.get(), "null" | "\"\""))
    };
    if has("id") {
        return Ok(record.to_owned());
    }
    let time = has("time");
    let mut fields = Vec::with_capacity(members.len() + 2);
    fields.push(format!(r#""id":"{}""#, clock::new_id()));
    if !time {
        fields.push(format!(r#""time":"{}""#, clock::now()));
    }
    for (name, value) in &members {
        let absent = name == "id" || (name == "time" && !time);
        if !absent {
            fields.push(format!(
                "{}:{}",
                serde_json::Value::from(name.as_str()),
                value.get()
            ));
        }
    }
    Ok(format!("{{{}}}", fields.join(",")))
}

/// The members of an object in their order, repeated names included.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> serde::Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Members;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_with_an_id_is_written_token_for_token_with_a_time_or_without() {
        for record in [
            r#"{ "id" : "a", "time":"2026-02-14T19:01:23Z","type":"x","data":{"n":1.50e0} }"#,
            r#"{ "id" : "a", "type":"x","data":{"n":1.50e0} }"#,
        ] {
            assert_eq!(with_identity(record).unwrap(), record);
        }
    }

    #[test]
    fn an_event_without_id_gets_one_and_keeps_its_other_tokens() {
        let record =
            with_identity(r#"{"id":null,"time":"2026-02-14T19:01:23Z","type":"x","data":{"n":1.50e0}}"#)
                .unwrap();
        assert!(
            with_identity(r#"{"id":"","type":"x"}"#)
                .unwrap()
                .contains(r#","time":""#),
            "an empty id is none"
        );
        let id = serde_json::from_str::<serde_json::Value>(&record).unwrap()["id"].clone();
        assert!(uuid::Uuid::parse_str(id.as_str().unwrap()).is_ok());
        assert!(
            record.ends_with(r#","time":"2026-02-14T19:01:23Z","type":"x","data":{"n":1.50e0}}"#),
            "{record}"
        );
    }

    #[test]
    fn what_is_no_object_on_one_line_is_refused_and_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = SpoolWriter::create(folder.path()).unwrap();
        for bad in ["[1]", "{", "", "{\"type\":\n\"x\"}"] {
            let error = writer
                .append(&[r#"{"type":"x"}"#.into(), bad.into()])
                .unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{bad}");
        }
        assert!(!writer.path().exists());
    }
}
