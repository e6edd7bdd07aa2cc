//! The answer to a batch, in the words of the wire.

use kymo_event::{Refusal, Seq, json};
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

impl Receipt {
    /// Appends the members of the JSON object that serde makes of it, without braces: every event that is sent alone
    /// has such an answer.
    pub fn write_members(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"accepted\":");
        json::push_number(out, self.accepted as u64);
        write_seq(b",\"first\":", self.first, out);
        write_seq(b",\"last\":", self.last, out);
        out.extend_from_slice(b",\"durability\":\"");
        out.extend_from_slice(self.durability.as_str().as_bytes());
        out.extend_from_slice(b"\",\"duplicates\":");
        write_list(&self.duplicates, out);
        out.extend_from_slice(b",\"rejected\":");
        write_list(&self.rejected, out);
        if self.rejected_more > 0 {
            out.extend_from_slice(b",\"rejected_more\":");
            json::push_number(out, self.rejected_more as u64);
        }
    }
}

fn write_seq(key: &[u8], seq: Option<Seq>, out: &mut Vec<u8>) {
    out.extend_from_slice(key);
    match seq {
        Some(seq) => json::push_number(out, seq.get()),
        None => out.extend_from_slice(b"null"),
    }
}

fn write_list(list: &[impl serde::Serialize], out: &mut Vec<u8>) {
    if list.is_empty() {
        out.extend_from_slice(b"[]");
    } else {
        serde_json::to_writer(out, list).expect("memory takes every byte");
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn written(receipt: &Receipt) -> String {
        let mut out = b"{".to_vec();
        receipt.write_members(&mut out);
        out.push(b'}');
        String::from_utf8(out).expect("JSON is text")
    }

    #[test]
    fn a_receipt_is_written_as_serde_writes_it() {
        let mut receipt = Receipt {
            accepted: 1_234_567_890,
            first: Some(Seq::FIRST),
            last: Seq::new(u64::MAX),
            durability: Durability::Fsync,
            duplicates: vec![],
            rejected: vec![],
            rejected_more: 0,
        };
        assert_eq!(written(&receipt), serde_json::to_string(&receipt).expect("JSON"));
        receipt.first = None;
        receipt.durability = Durability::Relaxed;
        receipt.rejected_more = 7;
        receipt.duplicates = vec![Duplicate {
            index: 3,
            seq: Seq::FIRST,
        }];
        receipt.rejected = [None, Some(9)]
            .map(|byte| Rejected {
                index: 1,
                byte,
                code: "invalid_json",
                message: "a \"quoted\" word".into(),
            })
            .to_vec();
        assert_eq!(written(&receipt), serde_json::to_string(&receipt).expect("JSON"));
    }
}
