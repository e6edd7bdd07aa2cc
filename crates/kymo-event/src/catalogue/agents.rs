//! What agents of any make do: tasks, sessions, tools, models, processes.

use super::{TypeInfo, kind};
use crate::Level::{Error, Info, Warn};

pub(super) const TYPES: &[TypeInfo] = &[
    kind("task.created", "task", Info, "A task was given"),
    kind("task.assigned", "task", Info, "A task has somebody who does it"),
    kind("task.started", "task", Info, "Work on a task began"),
    kind("task.progress", "task", Info, "A task is this far"),
    kind("task.completed", "task", Info, "A task is done"),
    kind("task.failed", "task", Error, "A task could not be done"),
    kind("task.cancelled", "task", Warn, "A task was given up"),
    kind("agent.started", "agent", Info, "An agent is there"),
    kind("agent.stopped", "agent", Info, "An agent has gone"),
    kind("agent.failed", "agent", Error, "An agent ended by a fault"),
    kind("agent.idle", "agent", Info, "An agent waits for work"),
    kind("session.started", "session", Info, "A conversation began"),
    kind("session.ended", "session", Info, "A conversation is over"),
    kind(
        "session.prompt",
        "session",
        Info,
        "Somebody told an agent what to do",
    ),
    kind(
        "session.compacted",
        "session",
        Info,
        "A conversation was shortened to fit the model",
    ),
    kind("tool.started", "tool", Info, "An agent began to use a tool"),
    kind("tool.completed", "tool", Info, "A tool has answered"),
    kind(
        "tool.failed",
        "tool",
        Error,
        "A tool could not do what it was asked",
    ),
    kind(
        "tool.denied",
        "tool",
        Warn,
        "An agent was not allowed to use a tool",
    ),
    kind(
        "permission.requested",
        "tool",
        Info,
        "An agent asks whether it may",
    ),
    kind("permission.granted", "tool", Info, "An agent may"),
    kind("permission.denied", "tool", Warn, "An agent may not"),
    kind("llm.started", "model", Info, "A model was asked"),
    kind("llm.completed", "model", Info, "A model has answered"),
    kind("llm.failed", "model", Error, "A model could not answer"),
    kind("message.sent", "session", Info, "A message was sent"),
    kind("message.received", "session", Info, "A message came in"),
    kind(
        "process.started",
        "process",
        Info,
        "A command began, with its arguments and folder",
    ),
    kind("process.output", "process", Info, "A line that a command printed"),
    kind(
        "process.exited",
        "process",
        Info,
        "A command ended, with exit code and duration",
    ),
    kind(
        "process.failed",
        "process",
        Error,
        "A command could not be started",
    ),
];
