//! Why events are missing, in the words of the wire.

use kymo_event::Seq;

/// Why events are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// removed by age or size
    Retention,
    /// unreadable
    Damaged,
    /// removed on purpose
    Erased,
    /// the cursor is of another ledger
    OtherLedger,
    /// the cursor is beyond the head
    AheadOfLedger,
}

/// A declared hole.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Gap {
    /// What was asked.
    pub asked: Seq,
    /// The first that is there.
    pub first: Seq,
    /// How many are lost.
    pub lost: u64,
    /// Why.
    pub reason: GapReason,
}
