//! What a person says of a route, in settings or over the API.

use serde::{Deserialize, Serialize};

/// One route. As TOML, under `[routes.NAME]`; as JSON over the API.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RouteSettings {
    /// The filter of the events it is for.
    pub when: String,
    /// What is emitted for each of them.
    pub emit: EmitSettings,
    /// Whether it also looks at the imported past.
    #[serde(default)]
    pub backfill: bool,
    /// Whether it runs.
    #[serde(default = "yes")]
    pub enabled: bool,
}

/// What a derived event says. Strings may hold `{{ expressions }}` over the original; what is left out here is as the
/// original has it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EmitSettings {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Its level: one of the five words, or an expression that gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// Which agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Which session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Which task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// For whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Which tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Its payload: any JSON, in which strings may hold expressions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<serde_json::Value>,
}

const fn yes() -> bool {
    true
}
