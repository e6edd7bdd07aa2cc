//! What can happen in a repository, in the words of events.

use serde_json::{Map, Value, json};

use super::program::Numbers;

/// One happening: the type of its event and its data.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GitChange {
    pub(crate) kind: &'static str,
    pub(crate) data: Map<String, Value>,
}

impl GitChange {
    pub(super) fn new(kind: &'static str, data: Value) -> Self {
        let Value::Object(data) = data else {
            unreachable!("the data of a git event is an object")
        };
        Self { kind, data }
    }

    /// With what changed in files, where git could say it.
    pub(super) fn with_numbers(mut self, numbers: Result<Numbers, String>) -> Self {
        match numbers {
            Ok(Numbers {
                files,
                added,
                removed,
            }) => {
                self.data.insert("files".into(), files.into());
                self.data.insert("added".into(), added.into());
                self.data.insert("removed".into(), removed.into());
            }
            Err(problem) => _ = self.data.insert("problem".into(), problem.into()),
        }
        self
    }

    pub(super) fn state(operation: &str, state: &str) -> Self {
        Self::new(
            "git.state_changed",
            json!({"operation": operation, "state": state}),
        )
    }
}
