//! What an agent says of itself: a word for its state in whatever language it speaks, and anything beside it.

use kymo_event::{LineView, RawJson, filter::Key, json::Kind};
use serde::{Deserialize, Serialize};

use super::AgentState;

/// Longest word that is kept, in characters.
const STATUS_MAX: usize = 100;
/// Most that is kept of what it said besides, in bytes.
const STATE_BYTES_MAX: usize = 2 << 10;

/// What it said last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    /// Where it said so.
    pub(super) seq: u64,
    /// The word, as it was said.
    pub(super) status: Option<Box<str>>,
    /// What the word means to us, if it is known.
    pub(super) state: Option<AgentState>,
    /// All it said, as JSON text, unless that was too long.
    pub(super) said: Option<Box<str>>,
}

/// Words and what they mean.
const WORDS: &[(AgentState, &[&str])] = &[
    (
        AgentState::Working,
        &[
            "working",
            "processing",
            "active",
            "busy",
            "running",
            "executing",
            "thinking",
            "in_progress",
        ],
    ),
    (
        AgentState::Idle,
        &[
            "idle",
            "waiting",
            "ready",
            "monitoring",
            "listening",
            "paused",
            "online",
            "available",
        ],
    ),
    (
        AgentState::Failed,
        &["failed", "error", "failure", "crashed", "unhealthy"],
    ),
    (
        AgentState::Stopped,
        &[
            "stopped",
            "offline",
            "gone",
            "terminated",
            "shutdown",
            "exited",
            "disconnected",
            "inactive",
        ],
    ),
];

impl Told {
    /// What an event of this type (separators folded) says; `None` where it is no such event.
    pub(super) fn of(name: &str, view: &LineView<'_>) -> Option<Self> {
        let data = || view.data().map(RawJson::trusted);
        let said = match name {
            "agent.state.changed" => {
                let data = data()?;
                data.get("state").unwrap_or(data)
            }
            // The later contract of the conductor; others mean other things by it.
            "status" if view.key(Key::Dialect).as_deref() == Some("conductor") => data()?,
            _ => return None,
        };
        let word = match said.kind() {
            Kind::Object => ["status", "state"]
                .iter()
                .find_map(|name| said.get(name)?.as_string()),
            _ => said.as_string(),
        };
        let status = word.map(|word| word.chars().take(STATUS_MAX).collect::<Box<str>>());
        let kept = (said.as_str().len() <= STATE_BYTES_MAX).then(|| said.as_str().into());
        Some(Self {
            seq: view.seq().get(),
            state: status.as_deref().and_then(meaning),
            status,
            said: kept,
        })
    }
}

fn meaning(word: &str) -> Option<AgentState> {
    let is_it = |known: &&str| known.eq_ignore_ascii_case(word.trim());
    WORDS
        .iter()
        .find(|(_, words)| words.iter().any(is_it))
        .map(|(state, _)| *state)
}
