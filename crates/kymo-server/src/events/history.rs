//! `GET /api/v1/events`: pages of the past as JSON, or all of it as a stream of lines.
use std::{io, sync::Arc};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, Uri, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use kymo_event::{LedgerId, LineView, Seq, dialects::Dialect};
use kymo_hub::{From, HistoryPage, HistoryRequest, Scope};
use kymo_ledger::Gap;

use crate::{
    app::App,
    auth::Caller,
    error::ApiError,
    params::{self, Parameter, Params},
    position,
};

/// Events of a JSON page unless asked otherwise, and at most.
const LIMIT: usize = 100;
const LIMIT_MAX: usize = 10_000;
/// Bytes of a page, about.
const PAGE_BYTES: usize = 8 << 20;
/// Bytes of one read of a stream, about.
const PIECE_BYTES: usize = 256 << 10;

/// Parameters of reading history.
pub(crate) const HISTORY_PARAMETERS: &[Parameter] = &[
    params::FILTER,
    params::CHANNELS,
    Parameter {
        name: "from",
        about: "The first, inclusive: a seq, an RFC 3339 time, a time before now such as -5m, or `start`.",
        example: "-5m",
    },
    Parameter {
        name: "to",
        about: "The end, exclusive; as `from`.",
        example: "1001",
    },
    Parameter {
        name: "limit",
        about: "How many at most: 100 if absent and 10000 at most for JSON; all if absent for lines.",
        example: "50",
    },
    Parameter {
        name: "order",
        about: "`newest` or `oldest` first; oldest if `from` is given, else newest.",
        example: "newest",
    },
    params::DIALECT,
    params::LEDGER,
];

/// The handler.
pub(crate) async fn history(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let caller = app.auth.require(&headers, Scope::Read)?;
    let params = Params::parse(uri.query(), HISTORY_PARAMETERS)?;
    let form = Form::of(&app, params.dialect()?);
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let as_lines = ["application/x-ndjson", "application/jsonl", "application/ndjson"];
    if as_lines.iter().any(|kind| accept.contains(kind)) {
        let request = request(&params, usize::MAX, usize::MAX, PIECE_BYTES)?;
        return lines(app, caller, request, form).await;
    }
    let request = request(&params, LIMIT, LIMIT_MAX, PAGE_BYTES)?;
    let page = app.hub().history(request, &caller.principal).await?;
    Ok((
        [(header::CONTENT_TYPE, "application/json")],
        json_page(&page, &form),
    )
        .into_response())
}

fn request(
    params: &Params,
    limit: usize,
    limit_max: usize,
    bytes_max: usize,
) -> Result<HistoryRequest, ApiError> {
    let ledger = params.get("ledger").map(LedgerId::new);
    let place = |name| {
        params
            .get(name)
            .map(|text| position::parse(name, text, ledger.clone()))
            .transpose()
    };
    let from = place("from")?;
    let newest_first = match params.get("order") {
        None => from.is_none(),
        Some("newest") => true,
        Some("oldest") => false,
        Some(other) => {
            let message = format!("`order` is newest or oldest, not {other}");
            return Err(ApiError::parameter("order", message));
        }
    };
    Ok(HistoryRequest {
        filter: params.filter()?,
        channels: params.channels()?,
        from,
        to: place("to")?,
        limit: limit_of(params, limit, limit_max)?,
        bytes_max,
        newest_first,
    })
}

fn limit_of(params: &Params, default: usize, max: usize) -> Result<usize, ApiError> {
    let Some(text) = params.get("limit") else {
        return Ok(default);
    };
    match text.parse::<usize>() {
        Ok(limit) if (1..=max).contains(&limit) => Ok(limit),
        _ => Err(ApiError::parameter(
            "limit",
            format!("`limit` is a number from 1 to {max}, not {text}"),
        )),
    }
}

/// How events are given out.
struct Form {
    // `None` is the native form: the very lines of the ledger.
    dialect: Option<&'static dyn Dialect>,
    ledger: LedgerId,
}

impl Form {
    fn of(app: &App, dialect: Option<&'static dyn Dialect>) -> Self {
        Self {
            dialect: dialect.filter(|dialect| dialect.name() != "kymo"),
            ledger: app.hub().ledger().id(),
        }
    }

    fn write(&self, line: &[u8], out: &mut Vec<u8>) {
        match (self.dialect, LineView::parse(line)) {
            (Some(dialect), Ok(view)) => dialect.write(&view, &self.ledger, out),
            _ => out.extend_from_slice(line),
        }
    }
}

fn json_page(page: &HistoryPage, form: &Form) -> Vec<u8> {
    let bytes: usize = page.lines.iter().map(|line| line.len() + 1).sum();
    let mut out = Vec::with_capacity(bytes + 128);
    out.extend_from_slice(b"{\"events\":[");
    for (index, line) in page.lines.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        form.write(line, &mut out);
    }
    out.extend_from_slice(b"],\"next\":");
    write_seq(page.next, &mut out);
    out.extend_from_slice(b",\"cursor\":");
    write_seq(page.cursor, &mut out);
    write_gaps(&page.gaps, &mut out);
    out.push(b'}');
    out
}

fn write_seq(seq: Option<Seq>, out: &mut Vec<u8>) {
    match seq {
        Some(seq) => out.extend_from_slice(seq.to_string().as_bytes()),
        None => out.extend_from_slice(b"null"),
    }
}

fn write_gaps(gaps: &[Gap], out: &mut Vec<u8>) {
    if gaps.is_empty() {
        return;
    }
    out.extend_from_slice(b",\"gaps\":[");
    for (index, gap) in gaps.iter().enumerate() {
        out.extend_from_slice(if index > 0 { b",{" } else { b"{" });
        write_gap(gap, out);
        out.push(b'}');
    }
    out.push(b']');
}

/// The inside of a gap, as every transport says it.
pub(crate) fn write_gap(gap: &Gap, out: &mut Vec<u8>) {
    let text = serde_json::to_string(gap).expect("a gap is JSON");
    out.extend_from_slice(text.trim_start_matches('{').trim_end_matches('}').as_bytes());
}

/// What is left to stream.
struct Rest {
    app: App,
    caller: Arc<Caller>,
    request: HistoryRequest,
    form: Form,
    first: Option<HistoryPage>,
}

// The first page is read before the answer begins, so that a refusal can still have its status.
async fn lines(
    app: App,
    caller: Arc<Caller>,
    mut request: HistoryRequest,
    form: Form,
) -> Result<Response, ApiError> {
    // Without an end of its own a stream ends at what was the newest event when it began.
    if request.to.is_none() {
        let end = app.hub().ledger().head().map_or(Seq::FIRST, Seq::next);
        request.to = Some(From::Seq(end, None));
    }
    let mut rest = Rest {
        app,
        caller,
        request,
        form,
        first: None,
    };
    rest.first = Some(rest.page().await?);
    let body = stream::try_unfold(Some(rest), next_piece);
    Ok((
        [(header::CONTENT_TYPE, "application/x-ndjson")],
        Body::from_stream(body),
    )
        .into_response())
}

async fn next_piece(rest: Option<Rest>) -> Result<Option<(Bytes, Option<Rest>)>, io::Error> {
    let Some(mut rest) = rest else {
        return Ok(None);
    };
    let page = match rest.first.take() {
        Some(page) => page,
        // The status is sent already: a body cut off in the middle is how the client learns.
        None => rest
            .page()
            .await
            .map_err(|error| io::Error::other(error.message))?,
    };
    let mut out = Vec::with_capacity(page.lines.iter().map(|line| line.len() + 1).sum());
    for gap in &page.gaps {
        out.extend_from_slice(b"{\"gap\":{");
        write_gap(gap, &mut out);
        out.extend_from_slice(b"}}\n");
    }
    for line in &page.lines {
        rest.form.write(line, &mut out);
        out.push(b'\n');
    }
    rest.request.limit -= page.lines.len().min(rest.request.limit);
    let next = page.next.filter(|_| rest.request.limit > 0);
    let rest = next.map(|seq| rest.continuing_at(seq));
    Ok(Some((out.into(), rest)))
}

impl Rest {
    async fn page(&self) -> Result<HistoryPage, ApiError> {
        if self.caller.revoked.is_cancelled() {
            return Err(ApiError::new("unauthorized", "the token was revoked"));
        }
        let mut request = self.request.clone();
        request.limit = request.limit.min(LIMIT_MAX);
        Ok(self.app.hub().history(request, &self.caller.principal).await?)
    }

    fn continuing_at(mut self, seq: Seq) -> Self {
        let place = Some(From::Seq(seq, None));
        if self.request.newest_first {
            self.request.to = place;
        } else {
            self.request.from = place;
        }
        self
    }
}
