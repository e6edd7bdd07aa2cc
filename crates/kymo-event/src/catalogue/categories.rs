//! The categories: what kind of thing happened, as pages group and draw it.

use super::Category;

/// All categories, in the order pages show them. The last one takes what fits nowhere else.
pub static CATEGORIES: &[Category] = &[
    category(
        "task",
        "checklist",
        "Work that was given to somebody and how it goes",
    ),
    category("agent", "robot", "Agents: coming, going and changing state"),
    category("session", "messages", "Conversations and the personas in them"),
    category("tool", "tool", "Tools that agents use"),
    category("model", "message-chatbot", "Calls of language models"),
    category(
        "reasoning",
        "brain",
        "Thinking: thesis, synthesis, evaluation, decisions",
    ),
    category("evidence", "quote", "Evidence, retrieval and citations"),
    category(
        "memory",
        "topology-star-3",
        "What is remembered: nodes, contexts, searches",
    ),
    category("sense", "eye", "What is perceived"),
    category("state", "mood-smile", "Inner states: mood, focus, drives"),
    category(
        "learning",
        "school",
        "Patterns and rules that were learned or applied",
    ),
    category("file", "files", "Files of a watched folder"),
    category(
        "git",
        "git-branch",
        "Commits, branches and tags of a watched folder",
    ),
    category("process", "terminal-2", "Programs that run, with their output"),
    category("watch", "eye-check", "The watch of a folder itself"),
    category(
        "system",
        "server",
        "Systems starting, stopping and reporting their health",
    ),
    category(
        "infrastructure",
        "cloud-upload",
        "Deployments, migrations and configuration",
    ),
    category("monitoring", "activity", "Measurements, thresholds and anomalies"),
    category("alert", "bell", "What somebody should look at now"),
    category(
        "marketplace",
        "building-store",
        "Capsules: published, listed, trending",
    ),
    category("pathway", "route", "Steps of a learning path"),
    category(
        "interface",
        "layout-dashboard",
        "What a user interface shows or was told",
    ),
    category(
        "knowledge",
        "share-3",
        "Patterns spreading between parts of a system",
    ),
    category("issue", "bug", "States of an issue"),
    category("error", "alert-triangle", "Something went wrong"),
    category("kymo", "wave-sine", "Kymo's own happenings"),
    category("other", "point", "Everything else"),
];

const fn category(name: &'static str, icon: &'static str, about: &'static str) -> Category {
    Category { name, icon, about }
}
