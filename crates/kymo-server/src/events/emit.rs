//! `POST /api/v1/events`: a body becomes records, records become a batch, and the answer comes when it is on disk.
use std::{future::poll_fn, ops::Deref, sync::Arc, task::Poll};

use axum::{
    body::Body as HttpBody,
    extract::State,
    http::{HeaderMap, Request, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use kymo_event::{Limits, RecordFormat, Records, Refusal, dialects::Dialect, dialects::cloudevents};
use kymo_hub::{Combiner, Intake, Receipt, Scope, Ticket};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::form::Form;
use crate::{
    app::App,
    auth::Caller,
    body,
    budget::LARGE_BYTES,
    error::{ApiError, answers},
    params::{Parameter, Params},
};

/// Where events are posted.
pub(crate) const PATH: &str = "/api/v1/events";

/// Parameters of emitting.
pub(crate) const EMIT_PARAMETERS: &[Parameter] = &[Parameter {
    name: "dialect",
    about: "The form of the records; detected record by record if absent.",
    example: "kymo",
}];

/// Records parsed between two turns of others, in bytes: about a tenth of a millisecond.
const SLICE_BYTES: usize = 128 << 10;
/// The same in records, where they are tiny or refused.
const SLICE_RECORDS: usize = 512;

/// The handler.
pub(crate) async fn emit(State(app): State<App>, request: Request<HttpBody>) -> Result<Response, ApiError> {
    let (head, mut body) = request.into_parts();
    let receipt = store(&app, &head, &mut body).await;
    if receipt.is_err() {
        body::discard(&mut body).await;
    }
    Ok(answer(&receipt?))
}

async fn store(app: &App, head: &Parts, body: &mut HttpBody) -> Result<Receipt, ApiError> {
    let asked = Asked::of(app, &head.headers, head.uri.query())?;
    let max = app.hub().settings().limits.batch_bytes_max;
    let body = body::read(&head.headers, body, max, &app.budget).await?;
    asked.store(app, &head.headers, body).await
}

/// Who emits what: all that is known, and may be refused, before the body is read.
pub(crate) struct Asked {
    caller: Arc<Caller>,
    dialect: Option<&'static dyn Dialect>,
    form: Form,
}

impl Asked {
    /// What the head says.
    pub(crate) fn of(app: &App, headers: &HeaderMap, query: Option<&str>) -> Result<Self, ApiError> {
        Ok(Self {
            caller: app.auth.require(headers, Scope::Emit)?,
            dialect: Params::parse(query, EMIT_PARAMETERS)?.dialect()?,
            form: Form::of(headers)?,
        })
    }

    /// Whether the same head would be understood the same way now: a token is good until it is revoked, a cookie may be
    /// too old.
    pub(crate) fn is_lasting(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(header::AUTHORIZATION) && !self.caller.revoked.is_cancelled()
    }

    /// Stores the records of a body; the answer comes when they are on disk.
    pub(crate) async fn store(
        &self,
        app: &App,
        headers: &HeaderMap,
        body: impl Deref<Target = [u8]>,
    ) -> Result<Receipt, ApiError> {
        let limits = &app.hub().settings().limits;
        let mut intake = app.hub().intake(Arc::clone(&self.caller.principal), "http");
        let turn = app.budget.turn_for(body.len()).await;
        match self.form {
            Form::Records(format, certain) => match cut(&body, format, limits) {
                Ok(records) => admit(&mut intake, records, body.len(), self.dialect.or(certain)).await,
                Err(refusal) => intake.refuse(0, refusal),
            },
            Form::Binary => admit_binary(&mut intake, headers, &body, limits),
        }
        // Bodies are large and commits take a while: others can use the memory meanwhile.
        drop((body, turn));
        Ok(intake.commit().await?)
    }

    /// Joins the records of a body with those of others, if that is possible.
    pub(crate) async fn join(&self, app: &App, combiner: &Combiner, body: &[u8]) -> Option<Ticket> {
        let limits = &app.hub().settings().limits;
        let Form::Records(format, certain) = self.form else {
            return None;
        };
        let mut records = Some(cut(body, format, limits).ok()?);
        let dialect = self.dialect.or(certain);
        poll_fn(|cx| {
            let records = records.take().into_iter().flatten();
            Poll::Ready(combiner.take(&self.caller.principal, records, dialect, cx.waker()))
        })
        .await
    }
}

/// Reads records of so many bytes into the batch, giving others a turn between slices.
pub(crate) async fn admit(
    intake: &mut Intake,
    records: Records<'_>,
    bytes: usize,
    dialect: Option<&'static dyn Dialect>,
) {
    intake.reserve(bytes);
    let (mut slice_end, mut in_slice) = (SLICE_BYTES, 0);
    for record in records {
        in_slice += 1;
        if record.byte >= slice_end || in_slice > SLICE_RECORDS {
            (slice_end, in_slice) = (record.byte + SLICE_BYTES, 0);
            tokio::task::yield_now().await;
        }
        intake.take(record, dialect);
    }
}

// Lines are checked one by one, an array as a whole before its first record.
fn cut<'a>(body: &'a [u8], format: RecordFormat, limits: &Limits) -> Result<Records<'a>, Refusal> {
    match format {
        RecordFormat::Json => unhurried(body.len(), || Records::new(body, format, limits)),
        RecordFormat::Lines => Records::new(body, format, limits),
    }
}

/// Checks so many bytes at once; where they are many, not on a thread that others wait for.
pub(crate) fn unhurried<T>(bytes: usize, check: impl FnOnce() -> T) -> T {
    let many_threads = || Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
    if bytes >= LARGE_BYTES && many_threads() {
        return tokio::task::block_in_place(check);
    }
    check()
}

fn admit_binary(intake: &mut Intake, headers: &HeaderMap, body: &[u8], limits: &Limits) {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let mut pairs = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()));
    match cloudevents::read_binary(content_type, &mut pairs, body, limits) {
        Ok(event) => intake.event(0, event),
        Err(refusal) => intake.refuse(0, refusal),
    }
}

fn answer(receipt: &Receipt) -> Response {
    let mut body = Vec::with_capacity(128);
    write_receipt(receipt, &mut body);
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (status(receipt), headers, body).into_response()
}

/// What the answer says.
pub(crate) fn write_receipt(receipt: &Receipt, out: &mut Vec<u8>) {
    out.push(b'{');
    receipt.write_members(out);
    out.push(b'}');
}

/// The status of the answer. An empty batch is no fault of its sender: nothing was refused.
pub(crate) fn status(receipt: &Receipt) -> StatusCode {
    if receipt.accepted > 0 || !receipt.duplicates.is_empty() || receipt.rejected.is_empty() {
        return answers::STORED;
    }
    if receipt
        .rejected
        .iter()
        .all(|rejected| rejected.code == "rate_limited")
    {
        return answers::LIMITED;
    }
    answers::NOTHING_STORED
}
