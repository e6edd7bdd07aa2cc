//! The hub's numbers: as JSON for the page, as text for Prometheus.
use std::{fmt::Write, sync::atomic::Ordering::Relaxed};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use kymo_hub::{Counters, Scope};

use crate::{
    app::{App, Counts},
    error::ApiError,
};

/// `GET /api/v1/metrics`
pub(crate) async fn counters(State(app): State<App>, headers: HeaderMap) -> Result<Json<Counters>, ApiError> {
    app.auth.require(&headers, Scope::Read)?.needs_all()?;
    Ok(Json(app.hub().counters()))
}

/// `GET /metrics`
pub(crate) async fn prometheus(State(app): State<App>, headers: HeaderMap) -> Result<Response, ApiError> {
    app.auth.require(&headers, Scope::Read)?.needs_all()?;
    let text = text(
        &app.hub().counters(),
        &app.counts,
        app.started.elapsed().as_secs(),
    );
    Ok((
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text,
    )
        .into_response())
}

fn text(hub: &Counters, server: &Counts, uptime_s: u64) -> String {
    let mut out = Exposition::default();
    out.one(
        "kymo_build_info",
        "gauge",
        "Version of the running program.",
        &[("version", env!("CARGO_PKG_VERSION"))],
        1,
    );
    out.one(
        "kymo_uptime_seconds",
        "gauge",
        "Time since the server started.",
        &[],
        uptime_s,
    );
    out.one("kymo_head_seq", "gauge", "Newest durable seq.", &[], hub.head);
    out.one(
        "kymo_first_seq",
        "gauge",
        "Oldest seq still in the ledger.",
        &[],
        hub.first,
    );
    out.one(
        "kymo_ledger_bytes",
        "gauge",
        "Bytes of the ledger on disk.",
        &[],
        hub.ledger_bytes,
    );
    out.one(
        "kymo_ring_bytes",
        "gauge",
        "Bytes of newest events in memory.",
        &[],
        hub.ring_bytes,
    );
    out.one(
        "kymo_events_total",
        "counter",
        "Events stored since the start.",
        &[],
        hub.events,
    );
    out.one(
        "kymo_duplicates_total",
        "counter",
        "Repeats that were acknowledged and not stored again.",
        &[],
        hub.duplicates,
    );
    out.one(
        "kymo_id_reused_total",
        "counter",
        "Events stored under an id that had other content.",
        &[],
        hub.id_reused,
    );
    out.one(
        "kymo_rate_limited_total",
        "counter",
        "Events dropped by rate limits.",
        &[],
        hub.rate_limited,
    );
    out.head("kymo_rejected_total", "counter", "Records refused, by code.");
    for (code, count) in &hub.rejected {
        out.sample("kymo_rejected_total", &[("code", code)], count);
    }
    out.one(
        "kymo_events_per_second",
        "gauge",
        "Events per second over the last ten seconds.",
        &[],
        hub.per_second,
    );
    let lag = hub
        .readers
        .iter()
        .map(|reader| reader.lag_events)
        .max()
        .unwrap_or(0);
    out.one(
        "kymo_readers",
        "gauge",
        "Subscriptions now.",
        &[],
        hub.readers.len(),
    );
    out.one(
        "kymo_reader_lag_events_max",
        "gauge",
        "Events the slowest reader is behind.",
        &[],
        lag,
    );
    out.head(
        "kymo_open",
        "gauge",
        "Connections and long conversations that are open; lane: those of them that only emit, and little.",
    );
    let open = [
        ("connection", &server.connections),
        ("websocket", &server.websockets),
        ("lane", &server.lane),
        ("sse", &server.streams),
        ("socketio", &server.socketio),
        ("conductor", &server.conductor),
    ];
    for (kind, gauge) in open {
        out.sample("kymo_open", &[("kind", kind)], gauge.now());
    }
    out.head(
        "kymo_http_answers_total",
        "counter",
        "Requests answered, by class of status.",
    );
    for (class, count) in ["1xx", "2xx", "3xx", "4xx", "5xx"]
        .into_iter()
        .zip(&server.answers)
    {
        out.sample(
            "kymo_http_answers_total",
            &[("status", class)],
            count.load(Relaxed),
        );
    }
    out.0
}

/// Text in the format of Prometheus.
#[derive(Default)]
struct Exposition(String);

impl Exposition {
    fn one(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        labels: &[(&str, &str)],
        value: impl std::fmt::Display,
    ) {
        self.head(name, kind, help);
        self.sample(name, labels, value);
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}").expect("memory takes every byte");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let quoted = |(key, value): &(&str, &str)| format!("{key}={:?}", value.replace('\n', " "));
        let labels: Vec<String> = labels.iter().map(quoted).collect();
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", labels.join(","))
        };
        writeln!(self.0, "{name}{labels} {value}").expect("memory takes every byte");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_follows_its_help_and_type() {
        let mut hub = Counters {
            head: 7,
            ..Counters::default()
        };
        hub.rejected.insert("invalid_json".into(), 2);
        let server = Counts::default();
        server.answered(200);
        let _open = server.websockets.enter();
        let text = text(&hub, &server, 3);
        assert!(text.contains(
            "# HELP kymo_head_seq Newest durable seq.\n# TYPE kymo_head_seq gauge\nkymo_head_seq 7\n"
        ));
        assert!(text.contains("kymo_rejected_total{code=\"invalid_json\"} 2\n"));
        assert!(text.contains("kymo_open{kind=\"websocket\"} 1\n"));
        assert!(text.contains("kymo_http_answers_total{status=\"2xx\"} 1\n"));
        let mut named = "";
        for line in text.lines() {
            match line.strip_prefix("# TYPE ") {
                Some(rest) => named = rest.split(' ').next().expect("a name"),
                None if line.starts_with('#') => {}
                None => assert!(line.starts_with(named), "{line}"),
            }
        }
    }
}
