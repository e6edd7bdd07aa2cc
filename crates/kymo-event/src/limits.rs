//! How large an event may be.

/// Limits on what is taken in. All sizes are bytes.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// One event as received.
    pub event_bytes_max: usize,
    /// One batch after decompression.
    pub batch_bytes_max: usize,
    /// Depth of brackets.
    pub nesting_max: usize,
    /// `type` and `source`.
    pub name_bytes_max: usize,
    /// `id` and every correlation key.
    pub id_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            event_bytes_max: 1 << 20,
            batch_bytes_max: 32 << 20,
            nesting_max: 128,
            name_bytes_max: 200,
            id_bytes_max: 256,
        }
    }
}
