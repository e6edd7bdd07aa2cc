//! The answer to a batch, in the words of the wire.

use kymo_event::{Refusal, Seq};
use kymo_ledger::{AppendError, Durability};

/// The answer to a batch.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Receipt {
    /// Stored now, without duplicates.
    pub accepted: usize,
    /// Seq of the first event stored.
    pub first: Option<Seq>,
    /// Seq of the last event stored.
    pub last: Option<Seq>,
    /// Level reached.
    pub durability: Durability,
    /// Known already, by rising index.
    pub duplicates: Vec<Duplicate>,
    /// Not taken, by rising index; the first thousand.
    pub rejected: Vec<Rejected>,
    /// Not taken either, and not listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub rejected_more: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// A record that was stored before.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Duplicate {
    /// index in the request
    pub index: usize,
    /// where it is
    pub seq: Seq,
}

/// A record that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Rejected {
    /// index in the request
    pub index: usize,
    /// byte of the fault in the body
    #[serde(skip_serializing_if = "Option::is_none")]
    pub byte: Option<usize>,
    /// stable
    pub code: &'static str,
    /// what happened and what to do
    pub message: String,
}

impl Rejected {
    pub(crate) fn new(index: usize, refusal: Refusal) -> Self {
        Self {
            index,
            byte: refusal.byte,
            code: refusal.code,
            message: refusal.message,
        }
    }
}

/// Why a whole batch was not taken. Nothing of it is in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The writer's queue is full.
    #[error("the hub is busy; send the batch again in {retry_after_s} s")]
    Busy {
        /// Come back in this many seconds.
        retry_after_s: u32,
    },
    /// The disk is full.
    #[error("no space left on the ledger's disk; accepting resumes by itself once there is")]
    DiskFull,
    /// The ledger cannot be written.
    #[error("the ledger cannot be written: {0}")]
    Unwritable(String),
    /// Shutting down.
    #[error("the hub is shutting down; send the batch again to the next one")]
    Closing,
    /// The principal may not emit.
    #[error("this token may not emit; use one with the scope \"emit\"")]
    NotAllowed,
}

/// Seconds after which a full queue has usually drained.
const RETRY_AFTER_S: u32 = 1;

impl std::convert::From<AppendError> for PublishError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Busy => Self::Busy {
                retry_after_s: RETRY_AFTER_S,
            },
            AppendError::DiskFull => Self::DiskFull,
            AppendError::Write(cause) => Self::Unwritable(cause.to_string()),
            AppendError::Closed => Self::Closing,
        }
    }
}
