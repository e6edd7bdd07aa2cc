//! What is known of types: every named one, its category, and what it begins or ends.

use std::collections::{BTreeMap, BTreeSet};

use kymo_event::{
    Level,
    catalogue::{CATEGORIES, Outcome, Pairing, TYPES, catalogue, category_of, lookup, pairing},
    fold_separators,
};

/// Names as their emitters write them.
const NAMED: &[(&str, &[&str])] = &[
    (
        "resonance: published",
        &[
            "task_started",
            "task_completed",
            "task_failed",
            "thesis_start",
            "thesis_end",
            "synthesis_start",
            "synthesis_end",
            "eval",
            "rune",
            "replan",
            "evidence_search",
            "evidence_added",
            "evidence_rejected",
            "rag_retrieval",
            "citation_added",
            "second_pass",
            "quality_check",
            "confidence_check",
            "system_startup",
            "system_shutdown",
            "health_check",
            "performance_metric",
            "migration",
            "deployment",
            "rollback",
            "configuration_change",
            "scale_event",
            "bqi_pattern_learned",
            "bqi_rule_applied",
            "binoche_decision",
            "ensemble_update",
            "alert_triggered",
            "alert_resolved",
            "threshold_exceeded",
            "anomaly_detected",
            "session_start",
            "session_end",
            "persona_activated",
            "persona_switched",
            "evidence_correction",
            "session_harvest_completed",
            "chatops_command",
            "monitoring_snapshot",
            "test_event",
        ],
    ),
    (
        "resonance: seen",
        &[
            "run_config",
            "meta_cognition",
            "persona_llm_run",
            "antithesis_start",
            "antithesis_end",
            "learning",
            "low_confidence_warning",
            "e2e_task_start",
            "e2e_task_failed",
            "e2e_task_completed",
            "e2e_video_analyzed",
            "e2e_steps_extracted",
            "e2e_execution_skipped",
            "self_acquisition_success",
            "message_sent",
            "response_received",
            "lua_flow_integration",
            "user_whisper",
            "persona_response",
            "rune_report",
            "dialogue_event",
            "unrecognised",
        ],
    ),
    (
        "broadcast",
        &[
            "sense",
            "cycle.start",
            "cycle.end",
            "daemon.start",
            "daemon.stop",
            "sense.project",
            "sense.all",
            "wave.send",
            "wave.result",
            "window.update",
            "observe",
            "decision",
            "critic.evaluate",
            "execute",
            "render",
            "context.write",
            "state.mood",
            "state.focus",
            "state.drive",
            "state.pain",
            "error",
        ],
    ),
    (
        "conductor",
        &[
            "agent-state-changed",
            "memory:node-created",
            "ui-update",
            "capsule:published",
            "marketplace-update",
            "deploy:status-changed",
            "deploy-update",
            "pathways:step-completed",
            "progress-update",
            "operation-started",
            "node-created",
            "operation-failed",
            "search-started",
            "search-completed",
            "publish-started",
            "capsule-published",
            "trending-updated",
            "publish-failed",
            "trending-calculation-started",
            "trending-scores-updated",
            "node-updated",
            "edge-created",
            "status",
            "provenance",
            "capsule",
            "orchestration",
            "marketplace",
        ],
    ),
    (
        "egos",
        &[
            "egos.sparc.tasks",
            "egos.llm.logs",
            "egos.propagation.log",
            "egos.system.heartbeat",
            "sparc_analyze",
            "sparc_refactor",
            "sparc_document",
            "sparc_test",
            "sparc_process",
            "issue.identified",
            "issue.acknowledged",
            "issue.assigned",
            "issue.in_progress",
            "issue.reviewing",
            "issue.resolved",
            "issue.verified",
            "issue.closed",
            "issue.deferred",
            "issue.wont_fix",
        ],
    ),
    (
        "folder",
        &[
            "file.created",
            "file.modified",
            "file.removed",
            "file.renamed",
            "file.found",
            "file.burst",
            "git.commit",
            "git.checkout",
            "git.branch_created",
            "git.branch_removed",
            "git.branch_updated",
            "git.tag_created",
            "git.tag_removed",
            "git.refs_changed",
            "git.state_changed",
            "watch.started",
            "watch.stopped",
            "watch.limited",
            "watch.failed",
            "watch.recovered",
            "watch.overflowed",
            "watch.heartbeat",
        ],
    ),
    (
        "agents",
        &[
            "tool.started",
            "tool.completed",
            "tool.failed",
            "task.started",
            "session.started",
            "session.ended",
            "process.started",
            "process.output",
            "process.exited",
            "process.failed",
        ],
    ),
    (
        "own",
        &[
            "kymo.started",
            "kymo.stopping",
            "kymo.client.connected",
            "kymo.client.disconnected",
            "kymo.segment.sealed",
            "kymo.segment.compressed",
            "kymo.segment.retired",
            "kymo.ledger.damaged",
            "kymo.ledger.tail_cut",
            "kymo.ledger.write_failed",
            "kymo.ledger.write_resumed",
            "kymo.ledger.renamed",
            "kymo.notes.dropped",
            "kymo.source.refused",
            "kymo.clock.stepped",
            "kymo.rate_limited",
            "kymo.spool.taken",
            "kymo.spool.refused",
            "kymo.heartbeat",
            "kymo.erased",
            "kymo.void",
        ],
    ),
];

#[test]
fn every_named_type_is_known_however_its_separators_are_written() {
    for (group, names) in NAMED {
        for name in *names {
            assert!(lookup(name).is_some(), "{group}: {name} is not in the catalogue");
            assert_eq!(
                lookup(name),
                lookup(&name.replace(['.', '_', '-'], "/")),
                "{name}"
            );
        }
    }
}

#[test]
fn no_type_is_there_twice() {
    let mut seen = BTreeSet::new();
    for info in TYPES {
        assert!(
            seen.insert(fold_separators(info.name)),
            "{} is there twice",
            info.name
        );
    }
}

#[test]
fn every_type_has_a_category_a_sentence_and_a_plain_name() {
    let categories: BTreeSet<&str> = CATEGORIES.iter().map(|category| category.name).collect();
    assert_eq!(categories.len(), CATEGORIES.len(), "a category is there twice");
    for info in TYPES {
        assert!(
            categories.contains(info.category),
            "{}: no category {}",
            info.name,
            info.category
        );
        assert!(
            info.about.chars().next().is_some_and(char::is_uppercase),
            "{}",
            info.name
        );
        assert!(!info.about.ends_with('.'), "{}", info.name);
        assert!(
            info.name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'_'),
            "{} is not in dot notation",
            info.name
        );
    }
}

#[test]
fn every_category_has_types_but_the_one_for_the_rest() {
    let used: BTreeSet<&str> = TYPES.iter().map(|info| info.category).collect();
    for category in &CATEGORIES[..CATEGORIES.len() - 1] {
        assert!(used.contains(category.name), "{} is empty", category.name);
    }
    assert_eq!(CATEGORIES.last().unwrap().name, "other");
}

#[test]
fn own_types_are_kymos_and_nobody_elses() {
    for info in TYPES {
        assert_eq!(
            info.category == "kymo",
            info.name.starts_with("kymo."),
            "{}",
            info.name
        );
    }
}

#[test]
fn an_unknown_name_has_the_category_of_its_longest_known_beginning() {
    for (name, category) in [
        ("task_started", "task"),
        ("task.archived", "task"),
        ("task", "task"),
        ("persona.llm.run", "model"),
        ("persona-llm-retry", "model"),
        ("persona.left", "session"),
        ("kymo.something.new", "kymo"),
        ("git.stash", "git"),
        ("tasks.all", "other"),
        ("something.else", "other"),
        ("", "other"),
        ("...", "other"),
    ] {
        assert_eq!(category_of(name).name, category, "{name}");
    }
}

#[test]
fn what_fails_is_an_error_and_what_ends_well_is_not() {
    for info in TYPES {
        if let Pairing::Ends { outcome, .. } = pairing(info.name) {
            let is_bad = info.level >= Level::Error;
            assert_eq!(
                is_bad,
                outcome == Outcome::Failed,
                "{} is {}",
                info.name,
                info.level.as_str()
            );
        }
    }
}

fn start(stem: &str) -> Pairing<'_> {
    Pairing::Starts { stem: stem.into() }
}

fn end(stem: &str, outcome: Outcome) -> Pairing<'_> {
    Pairing::Ends {
        stem: stem.into(),
        outcome,
    }
}

#[test]
fn starts_and_ends_are_read_from_the_name() {
    use Outcome::{Cancelled, Completed, Ended, Failed};
    for (name, expected) in [
        ("thesis_start", start("thesis")),
        ("thesis_end", end("thesis", Ended)),
        ("task_started", start("task")),
        ("task.completed", end("task", Completed)),
        ("task-failed", end("task", Failed)),
        ("task.cancelled", end("task", Cancelled)),
        ("build.finished", end("build", Completed)),
        ("alert_triggered", start("alert")),
        ("alert_resolved", end("alert", Completed)),
        ("system_startup", start("system")),
        ("system_shutdown", end("system", Ended)),
        ("process.started", start("process")),
        ("process.exited", end("process", Ended)),
        ("daemon.start", start("daemon")),
        ("daemon.stop", end("daemon", Ended)),
        ("trending-calculation-started", start("trending.calculation")),
        ("e2e_task_failed", end("e2e.task", Failed)),
        ("kymo.client.connected", start("kymo.client")),
        ("kymo.client.disconnected", end("kymo.client", Ended)),
        ("process.output", Pairing::None),
        ("restarted", Pairing::None),
        ("started", Pairing::None),
        (".started", Pairing::None),
        ("task.restarted", Pairing::None),
        ("", Pairing::None),
    ] {
        assert_eq!(pairing(name), expected, "{name}");
    }
}

/// Known types that begin something, each with its known ends.
const PAIRS: &[(&str, &[&str])] = &[
    ("agent.started", &["agent.stopped", "agent.failed"]),
    ("alert.triggered", &["alert.resolved"]),
    ("antithesis.start", &["antithesis.end"]),
    ("cycle.start", &["cycle.end"]),
    ("daemon.start", &["daemon.stop"]),
    ("e2e.task.start", &["e2e.task.completed", "e2e.task.failed"]),
    ("kymo.bridge.connected", &["kymo.bridge.stopped"]),
    ("kymo.client.connected", &["kymo.client.disconnected"]),
    ("kymo.started", &["kymo.stopping"]),
    ("llm.started", &["llm.completed", "llm.failed"]),
    ("operation.started", &["operation.completed", "operation.failed"]),
    ("process.started", &["process.exited", "process.failed"]),
    ("publish.started", &["publish.failed"]),
    ("search.started", &["search.completed"]),
    ("session.started", &["session.ended", "session.end"]),
    ("session.start", &["session.ended", "session.end"]),
    ("synthesis.start", &["synthesis.end"]),
    ("system.startup", &["system.shutdown"]),
    (
        "task.started",
        &["task.completed", "task.failed", "task.cancelled"],
    ),
    ("thesis.start", &["thesis.end"]),
    ("tool.started", &["tool.completed", "tool.failed"]),
    ("trending.calculation.started", &[]),
    ("watch.started", &["watch.stopped", "watch.failed"]),
];

#[test]
fn known_types_are_paired_as_listed_and_no_others_begin_anything() {
    let listed: BTreeMap<&str, BTreeSet<&str>> = PAIRS
        .iter()
        .map(|(start, ends)| (*start, ends.iter().copied().collect()))
        .collect();
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for info in TYPES {
        if let Pairing::Starts { stem } = pairing(info.name) {
            let ends = TYPES
                .iter()
                .filter(|other| matches!(pairing(other.name), Pairing::Ends { stem: end, .. } if end == stem))
                .map(|other| other.name)
                .collect();
            found.insert(info.name, ends);
        }
    }
    assert_eq!(found, listed);
}

#[test]
fn the_catalogue_is_json() {
    let json = serde_json::to_value(catalogue()).unwrap();
    assert_eq!(json["categories"].as_array().unwrap().len(), CATEGORIES.len());
    let failed = json["types"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["name"] == "tool.failed");
    assert_eq!(
        failed.unwrap(),
        &serde_json::json!({
            "name": "tool.failed", "category": "tool", "level": "error", "about": "A tool could not do what it was asked"
        })
    );
}
