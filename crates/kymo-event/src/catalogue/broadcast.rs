//! Types of the v5 broadcast: cycles of a mind that perceives, remembers, decides and acts.

use super::{TypeInfo, kind};
use crate::Level::{Error, Info};

pub(super) const TYPES: &[TypeInfo] = &[
    // Lifecycle
    kind("cycle.start", "system", Info, "A cycle began"),
    kind("cycle.end", "system", Info, "A cycle is complete"),
    kind("daemon.start", "system", Info, "The daemon started"),
    kind("daemon.stop", "system", Info, "The daemon stops"),
    // Senses
    kind("sense", "sense", Info, "Something was perceived"),
    kind(
        "sense.project",
        "sense",
        Info,
        "A sense put what it perceives into a phrase",
    ),
    kind("sense.all", "sense", Info, "All senses have spoken"),
    // Memory
    kind(
        "wave.send",
        "memory",
        Info,
        "A wave was sent into the store of contexts",
    ),
    kind("wave.result", "memory", Info, "The contexts that resonated"),
    kind(
        "window.update",
        "memory",
        Info,
        "Other contexts are in the window",
    ),
    kind("context.write", "memory", Info, "A context was stored"),
    // Thinking and acting
    kind("observe", "reasoning", Info, "The observer judged the situation"),
    kind("decision", "reasoning", Info, "A decision was made"),
    kind("critic.evaluate", "reasoning", Info, "A critic spoke"),
    kind("execute", "task", Info, "An action was taken"),
    kind(
        "render",
        "task",
        Info,
        "The model was brought in line with what is",
    ),
    // State
    kind("state.mood", "state", Info, "The mood changed"),
    kind("state.focus", "state", Info, "The focus changed"),
    kind("state.drive", "state", Info, "A drive changed"),
    kind("state.pain", "state", Info, "Pain came or went"),
    kind("error", "error", Error, "Something went wrong"),
];
