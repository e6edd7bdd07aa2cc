//! Types of the conductor and its streaming agents: memory, capsules, marketplace, deployments, pathways.

use super::{TypeInfo, kind};
use crate::Level::{Error, Info};

pub(super) const TYPES: &[TypeInfo] = &[
    // What agents stream
    kind("operation.started", "task", Info, "An operation began"),
    kind("operation.completed", "task", Info, "An operation is done"),
    kind(
        "operation.failed",
        "task",
        Error,
        "An operation could not be done",
    ),
    kind("node.created", "memory", Info, "A memory node is new"),
    kind("node.updated", "memory", Info, "A memory node changed"),
    kind("edge.created", "memory", Info, "Two memory nodes are connected"),
    kind("search.started", "memory", Info, "A search of the memory began"),
    kind(
        "search.completed",
        "memory",
        Info,
        "A search of the memory has its results",
    ),
    kind(
        "publish.started",
        "marketplace",
        Info,
        "A capsule is being published",
    ),
    kind(
        "publish.failed",
        "marketplace",
        Error,
        "A capsule could not be published",
    ),
    kind(
        "capsule.published",
        "marketplace",
        Info,
        "A capsule is on the marketplace",
    ),
    kind(
        "trending.updated",
        "marketplace",
        Info,
        "Something changed what is trending",
    ),
    kind(
        "trending.calculation.started",
        "marketplace",
        Info,
        "Trending scores are being calculated",
    ),
    kind(
        "trending.scores.updated",
        "marketplace",
        Info,
        "The trending scores are new",
    ),
    kind(
        "agent.state.changed",
        "agent",
        Info,
        "An agent is in another state",
    ),
    // Route keys: source and type in one
    kind("memory.node.created", "memory", Info, "A memory node is new"),
    kind(
        "deploy.status.changed",
        "infrastructure",
        Info,
        "A deployment is in another state",
    ),
    kind(
        "pathways.step.completed",
        "pathway",
        Info,
        "A step of a learning path is done",
    ),
    kind(
        "status.changed",
        "infrastructure",
        Info,
        "Something is in another state",
    ),
    kind("step.completed", "pathway", Info, "A step is done"),
    // What routes make of them
    kind(
        "ui.update",
        "interface",
        Info,
        "A part of the interface has something new to show",
    ),
    kind(
        "marketplace.update",
        "interface",
        Info,
        "The marketplace has something new to show",
    ),
    kind(
        "deploy.update",
        "interface",
        Info,
        "A deployment has something new to show",
    ),
    kind(
        "progress.update",
        "interface",
        Info,
        "A learning path has something new to show",
    ),
    // The later contract
    kind("status", "system", Info, "How an agent is"),
    kind("provenance", "knowledge", Info, "Where something comes from"),
    kind("capsule", "marketplace", Info, "Something about a capsule"),
    kind(
        "orchestration",
        "task",
        Info,
        "Agents were brought to work together",
    ),
    kind(
        "marketplace",
        "marketplace",
        Info,
        "Something about the marketplace",
    ),
];
