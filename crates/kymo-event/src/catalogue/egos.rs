//! Types of EGOS: activities of its publisher, and the states of its issues.

use super::{TypeInfo, kind};
use crate::Level::{Debug, Info, Warn};

pub(super) const TYPES: &[TypeInfo] = &[
    // Subjects
    kind("egos.sparc.tasks", "task", Info, "A task of the SPARC method"),
    kind(
        "egos.llm.logs",
        "model",
        Info,
        "A prompt and what a model answered",
    ),
    kind(
        "egos.propagation.log",
        "knowledge",
        Info,
        "A pattern was taken up by another subsystem",
    ),
    kind("egos.system.heartbeat", "system", Debug, "A publisher is alive"),
    // Task types
    kind("sparc.analyze", "task", Info, "Something is analysed"),
    kind("sparc.refactor", "task", Info, "Code is put in better form"),
    kind("sparc.document", "task", Info, "Something is written down"),
    kind("sparc.test", "task", Info, "Something is tested"),
    kind("sparc.process", "task", Info, "Something is processed"),
    // States of an issue
    kind("issue.identified", "issue", Warn, "An issue was found"),
    kind("issue.acknowledged", "issue", Info, "Somebody has seen an issue"),
    kind(
        "issue.assigned",
        "issue",
        Info,
        "An issue has somebody who deals with it",
    ),
    kind("issue.in_progress", "issue", Info, "An issue is being dealt with"),
    kind(
        "issue.reviewing",
        "issue",
        Info,
        "The remedy of an issue is being looked at",
    ),
    kind("issue.resolved", "issue", Info, "An issue has a remedy"),
    kind("issue.verified", "issue", Info, "The remedy of an issue works"),
    kind("issue.closed", "issue", Info, "An issue is done with"),
    kind("issue.deferred", "issue", Info, "An issue is put off"),
    kind("issue.wont_fix", "issue", Info, "An issue stays as it is"),
];
