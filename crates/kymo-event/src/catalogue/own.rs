//! Kymo's own happenings. Nobody else may emit a type that begins with `kymo`.

use super::{TypeInfo, kind};
use crate::Level::{Critical, Debug, Error, Info, Warn};

pub(super) const TYPES: &[TypeInfo] = &[
    kind(
        "kymo.started",
        "kymo",
        Info,
        "The hub takes and gives events from now on",
    ),
    kind(
        "kymo.stopping",
        "kymo",
        Info,
        "The hub writes what it has and stops",
    ),
    kind(
        "kymo.heartbeat",
        "kymo",
        Debug,
        "The hub is alive, with its counters",
    ),
    kind(
        "kymo.client.connected",
        "kymo",
        Debug,
        "A reader or emitter is there",
    ),
    kind(
        "kymo.client.disconnected",
        "kymo",
        Debug,
        "A reader or emitter has gone",
    ),
    kind(
        "kymo.segment.sealed",
        "kymo",
        Info,
        "A file of the ledger is full and will not change again",
    ),
    kind(
        "kymo.segment.compressed",
        "kymo",
        Info,
        "A sealed file of the ledger takes less room now",
    ),
    kind(
        "kymo.segment.retired",
        "kymo",
        Info,
        "The oldest file of the ledger was removed by age or size",
    ),
    kind(
        "kymo.ledger.damaged",
        "kymo",
        Critical,
        "A part of the ledger cannot be read; the rest is served",
    ),
    kind(
        "kymo.ledger.tail_cut",
        "kymo",
        Warn,
        "An unfinished line at the ledger's end was put into quarantine",
    ),
    kind(
        "kymo.ledger.write_failed",
        "kymo",
        Critical,
        "The ledger cannot be written; emitters keep their events",
    ),
    kind(
        "kymo.ledger.write_resumed",
        "kymo",
        Info,
        "The ledger can be written again",
    ),
    kind(
        "kymo.ledger.renamed",
        "kymo",
        Warn,
        "The ledger came back shorter than it was and has a new id",
    ),
    kind(
        "kymo.erased",
        "kymo",
        Warn,
        "Events were removed on purpose, by seq and reason",
    ),
    kind("kymo.void", "kymo", Info, "A position without an event, and why"),
    kind(
        "kymo.clock.stepped",
        "kymo",
        Warn,
        "The system's clock was set back or jumped ahead",
    ),
    kind(
        "kymo.rate_limited",
        "kymo",
        Warn,
        "A source sent more than its limit, with how many were dropped",
    ),
    kind(
        "kymo.notes.dropped",
        "kymo",
        Warn,
        "Happenings of the hub came too fast to be written one by one",
    ),
    kind(
        "kymo.spool.taken",
        "kymo",
        Info,
        "Events that waited on disk for a hub were taken in",
    ),
    kind(
        "kymo.spool.refused",
        "kymo",
        Warn,
        "Some events that waited on disk were not events",
    ),
    kind(
        "kymo.source.refused",
        "kymo",
        Warn,
        "Some events of a source were refused, with reasons",
    ),
    kind(
        "kymo.source.lost",
        "kymo",
        Warn,
        "Bytes of a file were removed before they could be read",
    ),
    kind(
        "kymo.source.failed",
        "kymo",
        Error,
        "A source of events does not work",
    ),
    kind(
        "kymo.source.recovered",
        "kymo",
        Info,
        "A source of events works again",
    ),
    kind(
        "kymo.bridge.connected",
        "kymo",
        Info,
        "A bridge to another system works",
    ),
    kind(
        "kymo.bridge.waiting",
        "kymo",
        Warn,
        "The other side of a bridge is away or turns it away; it tries again by itself",
    ),
    kind(
        "kymo.bridge.paused",
        "kymo",
        Warn,
        "The other side of a bridge took nothing several times and is left alone for a while",
    ),
    kind(
        "kymo.bridge.stopped",
        "kymo",
        Info,
        "A bridge to another system has ended",
    ),
    kind(
        "kymo.bridge.refused",
        "kymo",
        Warn,
        "Events of a bridge were not taken, with how many and why",
    ),
    kind(
        "kymo.bridge.gap",
        "kymo",
        Warn,
        "What happened meanwhile did not pass a bridge and cannot be had later: from when to when, and why",
    ),
    kind(
        "kymo.bridge.cursor_damaged",
        "kymo",
        Error,
        "The place of a bridge on disk could not be understood and was set aside; it begins anew",
    ),
];
