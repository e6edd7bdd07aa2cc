//! Puts the strands of an agent together for whoever asks how it is.

use std::collections::HashMap;

use kymo_event::Micros;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::strand::Strand;

/// Sources named of one agent.
const SOURCES_MAX: usize = 8;

/// How an agent is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AgentState {
    /// Something it began has not ended, or it says that it works.
    Working,
    /// It is there.
    Idle,
    /// It ended by a fault, or says so; nothing was heard of it since.
    Failed,
    /// It ended, or says so; nothing was heard of it since.
    Stopped,
}

impl AgentState {
    /// The word of the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::Idle => "idle",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// Agents as of one place in the ledger.
#[derive(Clone, Debug, Serialize)]
pub struct AgentsPage {
    /// Every event up to this seq is in it, and none behind; 0 is none.
    pub cursor: u64,
    /// First seq that is in it: 1, unless older ones were gone already.
    pub from: u64,
    /// Events in between that were gone, by damage or retention.
    pub lost: u64,
    /// Agents in one place (source, session, user, tier) that were forgotten, being silent longest.
    pub left_out: u64,
    /// How many agents there are, listed or not.
    pub total: usize,
    /// Those that were heard last come first.
    pub agents: Vec<AgentInfo>,
}

/// One agent.
#[derive(Clone, Debug, Serialize)]
pub struct AgentInfo {
    /// Its name.
    pub agent: String,
    /// How it is.
    pub state: AgentState,
    /// What it said of itself, as it said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// All it said of itself with that, if it was not long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<Box<RawValue>>,
    /// The task it is at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// What it began last that has not ended: the type without its last word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doing: Option<String>,
    /// When it came into this state, by the ledger's clock.
    pub since: String,
    /// The event that brought it there.
    pub since_seq: u64,
    /// When it was heard last, by the ledger's clock.
    pub seen: String,
    /// Its newest event.
    pub seq: u64,
    /// Its oldest event that is known.
    pub first_seq: u64,
    /// It sent heartbeats and has missed several.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub silent: bool,
    /// Where its events come from, the newest first.
    pub sources: Vec<String>,
    /// Of its newest event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Of its newest event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Of its newest event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Things it began that have not ended.
    pub open: usize,
    /// Its events.
    pub events: u64,
    /// Those of level warn.
    pub warnings: u64,
    /// Those of level error and critical.
    pub errors: u64,
    /// Things it began.
    pub started: u64,
    /// Things that were completed.
    pub completed: u64,
    /// Things that failed.
    pub failed: u64,
}

/// All agents of these strands, those that were heard last first.
pub(super) fn agents<'s>(strands: impl Iterator<Item = &'s Strand>, now: Micros) -> Vec<AgentInfo> {
    let mut by_name: HashMap<&str, Vec<&Strand>> = HashMap::new();
    for strand in strands {
        by_name.entry(&strand.place.agent).or_default().push(strand);
    }
    let mut agents: Vec<_> = by_name.into_values().map(|strands| agent(strands, now)).collect();
    agents.sort_unstable_by_key(|agent| std::cmp::Reverse(agent.seq));
    agents
}

fn agent(mut strands: Vec<&Strand>, now: Micros) -> AgentInfo {
    strands.sort_unstable_by_key(|strand| std::cmp::Reverse(strand.seq));
    let newest = strands[0];
    let shown = shown(&strands);
    let told = strands.iter().filter_map(|strand| strand.told.as_ref());
    let told = told.max_by_key(|told| told.seq);
    let mut sources: Vec<String> = Vec::new();
    for strand in &strands {
        if sources.len() < SOURCES_MAX && sources.iter().all(|known| *known != strand.place.source) {
            sources.push(strand.place.source.to_string());
        }
    }
    let sum = |count: fn(&Strand) -> u64| strands.iter().map(|strand| count(strand)).sum();
    let text = |text: &Option<std::borrow::Cow<'static, str>>| text.as_deref().map(str::to_owned);
    AgentInfo {
        agent: newest.place.agent.to_string(),
        state: shown.state,
        status: told.and_then(|told| told.status.as_deref()).map(str::to_owned),
        told: told
            .and_then(|told| told.said.as_deref())
            .and_then(|said| RawValue::from_string(said.to_owned()).ok()),
        task: shown.task.as_deref().map(str::to_owned),
        doing: shown.open.last().map(|open| open.stem.to_string()),
        since: Micros(shown.since_time).to_string(),
        since_seq: shown.since.get(),
        seen: Micros(newest.seen).to_string(),
        seq: newest.seq.get(),
        first_seq: strands.iter().map(|strand| strand.first.get()).min().unwrap_or(0),
        silent: is_silent(&strands, now),
        sources,
        session: text(&newest.place.session),
        user: text(&newest.place.user),
        tier: text(&newest.place.tier),
        open: strands.iter().map(|strand| strand.open.len()).sum(),
        events: sum(|strand| strand.counts.events),
        warnings: sum(|strand| strand.counts.warnings),
        errors: sum(|strand| strand.counts.errors),
        started: sum(|strand| strand.counts.started),
        completed: sum(|strand| strand.counts.completed),
        failed: sum(|strand| strand.counts.failed),
    }
}

/// The strand whose state is that of the agent: one in which it works, else the one that changed last.
///
/// What an agent says of itself outside any session is true of all its sessions that were silent since.
fn shown<'s>(strands: &[&'s Strand]) -> &'s Strand {
    let over_all = |strand: &&&Strand| {
        strand.place.session.is_none() && strand.declared && strand.state != AgentState::Working
    };
    let said = strands.iter().filter(over_all).map(|strand| strand.since).max();
    let alive = |strand: &&&Strand| said.is_none_or(|said| strand.seq >= said);
    let working = strands
        .iter()
        .filter(alive)
        .find(|strand| strand.state == AgentState::Working);
    let changed = || strands.iter().max_by_key(|strand| strand.since);
    working.or_else(changed).expect("an agent has a strand")
}

/// Whether it used to send heartbeats and has missed several.
fn is_silent(strands: &[&Strand], now: Micros) -> bool {
    /// What may be on its way, in microseconds.
    const GRACE: i64 = 1_000_000;
    let every = strands
        .iter()
        .filter_map(|strand| strand.beat)
        .map(|beat| beat.every)
        .max();
    let silent_for = now.0.saturating_sub(strands[0].seen);
    every.is_some_and(|every| every > 0 && silent_for > every.saturating_mul(3).saturating_add(GRACE))
}
