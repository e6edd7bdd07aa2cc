//! Channels: names of simple filters (`global`, `agent:planner`, `type:task`, a bare source).
use crate::{Filter, filter::FilterError};

/// A channel name that was understood.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Channel(String);

impl Channel {
    /// Reads `global`, `source:<s>`, `user:`, `tier:`, `agent:`, `session:`, `task:`, `trace:`, `type:<prefix>`, or a bare source name.
    pub fn parse(name: &str) -> Result<Self, FilterError> {
        todo!("{name}")
    }

    /// The name as given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The filter this channel is a name of.
    #[must_use]
    pub fn filter(&self) -> Filter {
        todo!()
    }

    /// The union of channels; no channel means everything.
    #[must_use]
    pub fn union(channels: &[Self]) -> Filter {
        todo!("{channels:?}")
    }
}
