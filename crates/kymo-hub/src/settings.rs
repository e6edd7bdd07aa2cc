//! How the hub admits and serves: every setting and its default.

use kymo_event::Limits;

/// How the hub admits and serves.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HubSettings {
    /// Newest committed bytes kept in memory, cached frames included.
    pub ring_bytes_max: usize,
    /// A frame to a reader is about this large at most; one event may exceed it.
    pub frame_bytes_max: usize,
    /// Bytes of frames read from the ledger that are kept for other readers of the same feed.
    pub catchup_bytes_max: usize,
    /// Reads of the ledger at once, for readers that catch up and for history.
    pub catchup_reads_max: usize,
    /// Newest ids kept in memory for idempotency; older ones are looked up in the ledger.
    pub ids_max: usize,
    /// Events per second and source; 0 = no limit. Warn and above always pass, and so do spools that are taken up.
    pub rate_per_source: u32,
    /// Agents whose state is known at once, one for each source, session, user and tier it is at work in; those that
    /// were silent longest are forgotten.
    pub agents_max: usize,
    /// Size limits.
    pub limits: Limits,
}

impl Default for HubSettings {
    fn default() -> Self {
        Self {
            ring_bytes_max: 24 << 20,
            frame_bytes_max: 128 << 10,
            catchup_bytes_max: 16 << 20,
            catchup_reads_max: 4,
            // What fits into tables of a power of two.
            ids_max: 7 << 15,
            rate_per_source: 0,
            agents_max: 10_000,
            limits: Limits::default(),
        }
    }
}
