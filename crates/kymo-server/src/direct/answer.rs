//! Answers as they stand on the wire: the same lines that the framework writes.
use std::{
    io::Write,
    time::{Duration, UNIX_EPOCH},
};

use axum::http::StatusCode;
use kymo_hub::Receipt;

use crate::{auth::now_s, error::ApiError, events, server::GUARDS};

/// Words the answers of a connection, in memory that is used again.
#[derive(Default)]
pub(super) struct Answers {
    body: Vec<u8>,
    whole: Vec<u8>,
    date: String,
    date_s: u64,
}

impl Answers {
    /// The whole answer, and its status; `last` says that no further one comes.
    pub(super) fn of(&mut self, receipt: &Result<Receipt, ApiError>, last: bool) -> (StatusCode, &[u8]) {
        self.body.clear();
        let (status, retry_after_s) = match receipt {
            Ok(receipt) => {
                events::write_receipt(receipt, &mut self.body);
                (events::status(receipt), None)
            }
            Err(error) => {
                error.write_body(&mut self.body);
                (error.status(), error.retry_after_s)
            }
        };
        self.write(status, retry_after_s, last)
            .expect("memory takes every byte");
        (status, &self.whole)
    }

    fn write(&mut self, status: StatusCode, retry_after_s: Option<u32>, last: bool) -> std::io::Result<()> {
        self.date_of(now_s());
        let out = &mut self.whole;
        out.clear();
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(status.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
        out.extend_from_slice(b"\r\ncontent-type: application/json\r\n");
        if let Some(seconds) = retry_after_s {
            write!(out, "retry-after: {seconds}\r\n")?;
        }
        if last {
            out.extend_from_slice(b"connection: close\r\n");
        }
        for (name, value) in GUARDS {
            out.extend_from_slice(name.as_str().as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"content-length: ");
        kymo_event::json::push_number(out, self.body.len() as u64);
        out.extend_from_slice(b"\r\ndate: ");
        out.extend_from_slice(self.date.as_bytes());
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(&self.body);
        Ok(())
    }

    // Most answers come in the same second as the one before.
    fn date_of(&mut self, second: u64) {
        if self.date_s != second {
            self.date_s = second;
            self.date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second));
        }
    }
}
