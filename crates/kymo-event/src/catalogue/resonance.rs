//! Types of resonance ledgers: published ones, and others that real ledgers hold.

use super::{TypeInfo, kind};
use crate::Level::{Error, Info, Warn};

pub(super) const TYPES: &[TypeInfo] = &[
    // Life of a task
    kind("thesis.start", "reasoning", Info, "A first answer is thought out"),
    kind("thesis.end", "reasoning", Info, "The first answer is there"),
    kind(
        "antithesis.start",
        "reasoning",
        Info,
        "The first answer is criticised",
    ),
    kind("antithesis.end", "reasoning", Info, "The criticism is there"),
    kind(
        "synthesis.start",
        "reasoning",
        Info,
        "Answer and criticism are brought together",
    ),
    kind("synthesis.end", "reasoning", Info, "The joint answer is there"),
    kind("eval", "reasoning", Info, "A result was judged"),
    kind("rune", "reasoning", Info, "A result was examined in depth"),
    kind("rune.report", "reasoning", Info, "The examination of a result"),
    kind("replan", "reasoning", Info, "The plan was changed"),
    kind("run.config", "task", Info, "The settings of a run"),
    kind(
        "meta.cognition",
        "reasoning",
        Info,
        "A persona judged whether it can do a task",
    ),
    kind(
        "low.confidence.warning",
        "reasoning",
        Warn,
        "A result is less sure than it should be",
    ),
    // Evidence
    kind("evidence.search", "evidence", Info, "Evidence was looked for"),
    kind("evidence.added", "evidence", Info, "Evidence was accepted"),
    kind(
        "evidence.rejected",
        "evidence",
        Info,
        "Evidence was not good enough",
    ),
    kind(
        "evidence.correction",
        "evidence",
        Info,
        "Citations were put right in another pass",
    ),
    kind(
        "rag.retrieval",
        "evidence",
        Info,
        "Passages were retrieved for a question",
    ),
    kind("citation.added", "evidence", Info, "A citation was added"),
    // Self-correction
    kind(
        "second.pass",
        "reasoning",
        Info,
        "A task is done again because the result was not good enough",
    ),
    kind("quality.check", "reasoning", Info, "Quality was checked"),
    kind("confidence.check", "reasoning", Info, "Confidence was checked"),
    // System
    kind("system.startup", "system", Info, "A part of the system started"),
    kind("system.shutdown", "system", Info, "A part of the system stops"),
    kind("health.check", "system", Info, "How a part of the system is"),
    kind("performance.metric", "monitoring", Info, "A measurement"),
    // Infrastructure
    kind(
        "migration",
        "infrastructure",
        Info,
        "Something moved to another place",
    ),
    kind(
        "deployment",
        "infrastructure",
        Info,
        "A version was put into service",
    ),
    kind(
        "rollback",
        "infrastructure",
        Warn,
        "An earlier version was put back into service",
    ),
    kind(
        "configuration.change",
        "infrastructure",
        Info,
        "A setting has another value",
    ),
    kind(
        "scale.event",
        "infrastructure",
        Info,
        "There is more or less of something",
    ),
    // Learning
    kind("bqi.pattern.learned", "learning", Info, "A pattern was learned"),
    kind("bqi.rule.applied", "learning", Info, "A learned rule was applied"),
    kind("binoche.decision", "learning", Info, "The learned judge decided"),
    kind(
        "ensemble.update",
        "learning",
        Info,
        "The weights of the judges changed",
    ),
    kind("learning", "learning", Info, "Something was learned"),
    kind(
        "self.acquisition.success",
        "learning",
        Info,
        "Something was learned without help",
    ),
    // Monitoring
    kind("alert.triggered", "alert", Warn, "Something needs attention"),
    kind(
        "alert.resolved",
        "alert",
        Info,
        "What needed attention no longer does",
    ),
    kind(
        "threshold.exceeded",
        "monitoring",
        Warn,
        "A measurement is beyond its limit",
    ),
    kind(
        "anomaly.detected",
        "monitoring",
        Warn,
        "A measurement is unlike the others",
    ),
    kind(
        "monitoring.snapshot",
        "monitoring",
        Info,
        "All measurements of a moment",
    ),
    // Sessions
    kind("session.start", "session", Info, "A session began"),
    kind("session.end", "session", Info, "A session is over"),
    kind(
        "session.harvest.completed",
        "session",
        Info,
        "The day's conversations were collected",
    ),
    kind("persona.activated", "session", Info, "A persona came in"),
    kind("persona.switched", "session", Info, "Another persona took over"),
    kind("persona.response", "session", Info, "A persona answered"),
    kind("persona.llm.run", "model", Info, "A persona asked a model"),
    kind("response.received", "session", Info, "An answer came in"),
    kind(
        "chatops.command",
        "session",
        Info,
        "Somebody gave a command in the chat",
    ),
    kind(
        "user.whisper",
        "session",
        Info,
        "Somebody said something in passing",
    ),
    kind("lua.flow.integration", "system", Info, "A flow was connected"),
    // Videos followed step by step
    kind("e2e.task.start", "task", Info, "A video is to be followed"),
    kind(
        "e2e.task.completed",
        "task",
        Info,
        "A video was followed to its end",
    ),
    kind("e2e.task.failed", "task", Error, "A video could not be followed"),
    kind("e2e.video.analyzed", "task", Info, "A video was understood"),
    kind(
        "e2e.steps.extracted",
        "task",
        Info,
        "The steps of a video are known",
    ),
    kind(
        "e2e.execution.skipped",
        "task",
        Info,
        "The steps of a video were not carried out",
    ),
    kind(
        "dialogue.event",
        "session",
        Info,
        "Something was said between agents",
    ),
    kind(
        "unrecognised",
        "other",
        Info,
        "A record that says nowhere what it is",
    ),
    kind(
        "test.event",
        "other",
        Info,
        "An event sent to see whether events arrive",
    ),
];
