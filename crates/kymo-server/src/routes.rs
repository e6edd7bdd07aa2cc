//! Every route, in the order people meet them: this one list drives the router, `openapi.json` and `/docs`.
use axum::{
    Router,
    extract::State,
    http::{Method, Uri},
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, any, on},
};
use kymo_hub::Scope;

use crate::{
    agents, app::App, bridges, catalogue, conductor, docs, doors::Which, engineio, error::ApiError, events,
    health, login, metrics, openapi, page, params::Parameter, params::unknown_name, rules, socketio, status,
    stream, tokens, ws,
};

/// A path with a method, and all that is said about it.
pub(crate) struct Route {
    pub(crate) method: Verb,
    pub(crate) path: &'static str,
    /// What a token needs; `None` for what anybody may see.
    pub(crate) scope: Option<Scope>,
    /// A verb and a noun.
    pub(crate) title: &'static str,
    /// What it does and promises.
    pub(crate) about: &'static str,
    pub(crate) parameters: &'static [Parameter],
    /// Content types it takes, with the name of their schema.
    pub(crate) takes: &'static [(&'static str, &'static str)],
    /// Status, content type and schema of its good answers.
    pub(crate) gives: &'static [(u16, &'static str, &'static str)],
    /// Codes it can answer besides those every route can.
    pub(crate) refuses: &'static [&'static str],
    handler: fn() -> MethodRouter<App>,
}

/// The methods we use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

impl Verb {
    /// As in a request line.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";
const TEXT: &str = "text/plain";
const HTML: &str = "text/html";

/// The list.
pub(crate) static ROUTES: &[Route] = &[
    Route {
        method: Verb::Post,
        path: events::PATH,
        scope: Some(Scope::Emit),
        title: "Emit events",
        about: "Takes one event, a JSON array, NDJSON, or CloudEvents (structured, batch, binary), plain, gzip or zstd. \
                What the answer counts as accepted is on disk. A batch is not atomic: refused records are listed with \
                index, byte, code and message, the others are stored with contiguous seqs. 422 if nothing was stored.",
        parameters: events::EMIT_PARAMETERS,
        takes: &[
            (JSON, "EmitBody"),
            (LINES, "Lines"),
            ("application/cloudevents+json", "CloudEvent"),
            ("application/cloudevents-batch+json", "CloudEvents"),
        ],
        gives: &[(200, JSON, "Receipt"), (422, JSON, "Receipt")],
        refuses: &[
            "batch_too_large",
            "unsupported_encoding",
            "request_timeout",
            "busy",
            "disk_full",
            "ledger_unwritable",
            "closing",
        ],
        handler: || on(MethodFilter::POST, events::emit),
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/events",
        scope: Some(Scope::Read),
        title: "Read history",
        about: "Answers a page of stored events; continue with `next` (as `from` when reading oldest first, as `to` when \
                newest first). With `Accept: application/x-ndjson` everything that was asked for is streamed, one line \
                each; what is gone is then told by a line `{\"gap\":{…}}`.",
        parameters: events::HISTORY_PARAMETERS,
        takes: &[],
        gives: &[(200, JSON, "HistoryPage"), (200, LINES, "Lines")],
        refuses: &["invalid_filter", "ledger_unreadable", "closing"],
        handler: || on(MethodFilter::GET, events::history),
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/stream",
        scope: Some(Scope::Read),
        title: "Follow by server-sent events",
        about: "Past events from `from` on, then live ones, without gap or repeat. `id:` is the seq, also alone, to move \
                the cursor over what does not match; `Last-Event-ID: n` resumes at n + 1. Besides plain messages there \
                are the events `subscribed`, `caught_up`, `fell_behind`, `gap` and `closing`. A comment comes every 15 s, the first one earlier.",
        parameters: stream::PARAMETERS,
        takes: &[],
        gives: &[(200, "text/event-stream", "Lines")],
        refuses: &["invalid_filter", "ledger_unreadable", "closing"],
        handler: || on(MethodFilter::GET, stream::follow),
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/ws",
        scope: None,
        title: "Follow and emit by WebSocket",
        about: "JSON text messages with `op`: auth, subscribe, unsubscribe, emit, ping; answered by hello, subscribed, \
                unsubscribed, events, caught_up, fell_behind, gap, ack, pong, error. Without header or cookie the first \
                message must be `auth`, within five seconds; subscribing needs the scope read, emitting emit. A ping frame \
                comes every 20 s.",
        parameters: &[],
        takes: &[],
        gives: &[(101, JSON, "ServerMessage")],
        refuses: &["upgrade_required", "closing"],
        handler: || on(MethodFilter::GET, ws::upgrade),
    },
    Route {
        method: Verb::Get,
        path: engineio::PATH,
        scope: None,
        title: "Follow and emit by Socket.IO",
        about: "For clients of Socket.IO 3 and later (Engine.IO 4), by long polling and WebSocket, where the settings open \
                this door. The token is sent as `auth: { token }` or in the header. The address may also say filter, \
                channels, dialect, catchup and recovery; `auth` may say the same. See docs/socketio.md.",
        parameters: socketio::PARAMETERS,
        takes: &[],
        gives: &[(200, TEXT, "Text"), (101, JSON, "ServerMessage")],
        refuses: &["not_found", "busy", "closing"],
        handler: || on(MethodFilter::GET, engineio::serve),
    },
    Route {
        method: Verb::Post,
        path: engineio::PATH,
        scope: None,
        title: "Send to a Socket.IO session",
        about: "Packets of a session that polls.",
        parameters: &[engineio::EIO, engineio::TRANSPORT, engineio::SID],
        takes: &[(TEXT, "Text")],
        gives: &[(200, TEXT, "Text")],
        refuses: &[
            "not_found",
            "batch_too_large",
            "unsupported_encoding",
            "request_timeout",
            "busy",
        ],
        handler: || on(MethodFilter::POST, engineio::serve),
    },
    Route {
        method: Verb::Get,
        path: conductor::PATH,
        scope: None,
        title: "Follow and emit as the conductor's clients do",
        about: "By WebSocket, where the settings open this door: one message with the history of the last minutes, then events, \
                and metrics every few seconds; `client-event` and `agent-state` are taken. See docs/conductor.md.",
        parameters: conductor::PARAMETERS,
        takes: &[],
        gives: &[(101, JSON, "ServerMessage")],
        refuses: &[
            "not_found",
            "unauthorized",
            "invalid_filter",
            "upgrade_required",
            "busy",
            "closing",
        ],
        handler: || on(MethodFilter::GET, conductor::serve),
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/agents",
        scope: Some(Scope::Read),
        title: "Ask how agents are",
        about: "Which agents there are, whether they work, at what, since when, and what they did: folded from the events that \
                name an `agent`, so it can be asked for any moment (`at`). `cursor` is the seq that the answer is as of; what \
                is imported from the past is left out. A token bound to some events is told of what is in those.",
        parameters: agents::PARAMETERS,
        takes: &[],
        gives: &[(200, JSON, "Agents")],
        refuses: &["before_retention", "not_yet", "ledger_unreadable", "closing"],
        handler: || on(MethodFilter::GET, agents::agents),
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/metrics",
        scope: Some(Scope::Read),
        title: "Read the pulse",
        about: "Numbers of this moment: head, events per second, the last five minutes by second and level, the largest \
                types and sources, readers and their lag. Not for tokens bound to some events.",
        parameters: &[],
        takes: &[],
        gives: &[(200, JSON, "Counters")],
        refuses: &[],
        handler: || on(MethodFilter::GET, metrics::counters),
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/catalogue",
        scope: Some(Scope::Read),
        title: "Read the catalogue of types",
        about: "What is known of event types: category, usual level, icon. Types are an open set; this is knowledge, not a gate.",
        parameters: &[],
        takes: &[],
        gives: &[(200, JSON, "Catalogue")],
        refuses: &[],
        handler: || on(MethodFilter::GET, catalogue::catalogue),
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/bridges",
        scope: Some(Scope::Read),
        title: "List bridges",
        about: "Sources that follow files and brokers, and sinks that give to them: how each is, since when, what passed, how \
                far it is behind, what went wrong last, and when it tries again. Not for tokens bound to some events.",
        parameters: &[],
        takes: &[],
        gives: &[(200, JSON, "Bridges")],
        refuses: &[],
        handler: || on(MethodFilter::GET, bridges::list),
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/status",
        scope: Some(Scope::Read),
        title: "Ask how the server is",
        about: "Version, ledger, head, uptime, what is watched, and what the caller may do. Bound tokens are not told of folders.",
        parameters: &[],
        takes: &[],
        gives: &[(200, JSON, "Status")],
        refuses: &[],
        handler: || on(MethodFilter::GET, status::status),
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/routes",
        scope: Some(Scope::Read),
        title: "List routes",
        about: "Which events are derived from which: of the settings, and made here. Whether they run and how far they are \
                is told by the list of bridges. Not for tokens bound to some events.",
        parameters: &[],
        takes: &[],
        gives: &[(200, JSON, "Routes")],
        refuses: &[],
        handler: || on(MethodFilter::GET, rules::list),
    },
    Route {
        method: Verb::Put,
        path: "/api/v1/routes/{name}",
        scope: Some(Scope::Manage),
        title: "Make or replace a route",
        about: "When the filter `when` matches an event, then the event `emit` is stored, with `cause` and `hops`. Strings of \
                `emit` may hold expressions over the original. Holds at once and after a restart. See docs/routes.md.",
        parameters: &[],
        takes: &[(JSON, "NewRoute")],
        gives: &[(200, JSON, "Route")],
        refuses: &["invalid_body", "invalid_route", "name_taken"],
        handler: || on(MethodFilter::PUT, rules::put),
    },
    Route {
        method: Verb::Delete,
        path: "/api/v1/routes/{name}",
        scope: Some(Scope::Manage),
        title: "Remove a route",
        about: "What it derived stays. Routes of the settings are removed there.",
        parameters: &[],
        takes: &[],
        gives: &[(200, JSON, "Removed")],
        refuses: &["not_found", "name_taken"],
        handler: || on(MethodFilter::DELETE, rules::remove),
    },
    Route {
        method: Verb::Post,
        path: "/api/v1/routes/try",
        scope: Some(Scope::Manage),
        title: "Try a route out",
        about: "Answers what the route would make of the newest event that its filter matches, and stores nothing.",
        parameters: &[],
        takes: &[(JSON, "NewRoute")],
        gives: &[(200, JSON, "TriedRoute")],
        refuses: &["invalid_body", "invalid_route", "ledger_unreadable", "closing"],
        handler: || on(MethodFilter::POST, rules::try_out),
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/tokens",
        scope: Some(Scope::Admin),
        title: "List tokens",
        about: "Names, scopes and bindings of all tokens besides the owner's; never the tokens.",
        parameters: &[],
        takes: &[],
        gives: &[(200, JSON, "Tokens")],
        refuses: &[],
        handler: || on(MethodFilter::GET, tokens::list),
    },
    Route {
        method: Verb::Post,
        path: "/api/v1/tokens",
        scope: Some(Scope::Admin),
        title: "Make a token",
        about: "Answers the token once; only its hash is kept. `bound` keys are filled into every event of the token, and \
                are a filter on everything it reads.",
        parameters: &[],
        takes: &[(JSON, "NewToken")],
        gives: &[(201, JSON, "MadeToken")],
        refuses: &["invalid_body", "name_taken"],
        handler: || on(MethodFilter::POST, tokens::create),
    },
    Route {
        method: Verb::Delete,
        path: "/api/v1/tokens/{name}",
        scope: Some(Scope::Admin),
        title: "Revoke a token",
        about: "Requests with it are refused from now on; conversations that are open with it end.",
        parameters: &[],
        takes: &[],
        gives: &[(200, JSON, "Revoked")],
        refuses: &["not_found"],
        handler: || on(MethodFilter::DELETE, tokens::revoke),
    },
    Route {
        method: Verb::Post,
        path: "/api/v1/login-codes",
        scope: Some(Scope::Admin),
        title: "Make a login URL",
        about: "Answers a URL that lets a browser in, once, within five minutes.",
        parameters: &[],
        takes: &[],
        gives: &[(201, JSON, "LoginUrl")],
        refuses: &[],
        handler: || on(MethodFilter::POST, login::make_code),
    },
    Route {
        method: Verb::Post,
        path: "/api/v1/stop",
        scope: Some(Scope::Admin),
        title: "Stop the server",
        about: "Answers, then shuts down in order: what was acknowledged stays, readers are told.",
        parameters: &[],
        takes: &[],
        gives: &[(202, JSON, "Stopping")],
        refuses: &[],
        handler: || on(MethodFilter::POST, status::stop),
    },
    Route {
        method: Verb::Get,
        path: "/login",
        scope: None,
        title: "Let a browser in",
        about: "Takes a one-time code, sets the cookie, and leads to the page.",
        parameters: login::PARAMETERS,
        takes: &[],
        gives: &[(303, HTML, "Html")],
        refuses: &["login_code_used"],
        handler: || on(MethodFilter::GET, login::login),
    },
    Route {
        method: Verb::Get,
        path: "/metrics",
        scope: Some(Scope::Read),
        title: "Metrics for Prometheus",
        about: "The same numbers in the text format of Prometheus. Not for tokens bound to some events.",
        parameters: &[],
        takes: &[],
        gives: &[(200, TEXT, "Text")],
        refuses: &[],
        handler: || on(MethodFilter::GET, metrics::prometheus),
    },
    Route {
        method: Verb::Get,
        path: "/healthz",
        scope: None,
        title: "Is it alive",
        about: "200 while the process answers.",
        parameters: &[],
        takes: &[],
        gives: &[(200, JSON, "Health")],
        refuses: &[],
        handler: || on(MethodFilter::GET, health::alive),
    },
    Route {
        method: Verb::Get,
        path: "/readyz",
        scope: None,
        title: "Does it take and give",
        about: "200 while events are accepted; `closing` during shutdown.",
        parameters: &[],
        takes: &[],
        gives: &[(200, JSON, "Health")],
        refuses: &["closing"],
        handler: || on(MethodFilter::GET, health::ready),
    },
    Route {
        method: Verb::Get,
        path: "/openapi.json",
        scope: None,
        title: "Describe the API",
        about: "This description, as OpenAPI 3.1.",
        parameters: &[],
        takes: &[],
        gives: &[(200, JSON, "OpenApi")],
        refuses: &[],
        handler: || on(MethodFilter::GET, openapi::serve),
    },
    Route {
        method: Verb::Get,
        path: "/docs",
        scope: None,
        title: "Read about the API",
        about: "This description, for people.",
        parameters: &[],
        takes: &[],
        gives: &[(200, HTML, "Html")],
        refuses: &[],
        handler: || on(MethodFilter::GET, docs::serve),
    },
];

/// The router over the list; every other path is the page's, or nobody's.
pub(crate) fn router(app: App) -> Router {
    let routes = ROUTES.iter().fold(suite(&app), |router, route| {
        router.route(route.path, (route.handler)())
    });
    routes
        .fallback(elsewhere)
        .method_not_allowed_fallback(wrong_method)
        .with_state(app)
}

/// The router of a port that is a door's own.
pub(crate) fn door_router(app: App, which: Which) -> Router {
    let router = match which {
        Which::SocketIo => suite(&app)
            .route(engineio::PATH, any(engineio::serve))
            .fallback(async |uri: Uri| not_found(uri.path())),
        Which::Conductor => Router::new().fallback(conductor::serve),
    };
    router.with_state(app)
}

/// What is there for the protocol suites alone.
fn suite(app: &App) -> Router<App> {
    let echoes = app.socketio.as_ref().is_some_and(|door| door.settings.echo);
    match echoes {
        true => Router::new().route(engineio::SUITE_PATH, any(engineio::serve)),
        false => Router::new(),
    }
}

/// First parts of paths that programs use: a mistake there is told as one, not answered with a page.
const FOR_PROGRAMS: &[&str] = &["api", "v1", "hooks", "webhooks", "mcp", "socket.io", "conductor"];

async fn elsewhere(
    State(_): State<App>,
    method: Method,
    uri: Uri,
    headers: axum::http::HeaderMap,
) -> Response {
    let path = uri.path();
    let first = path.split('/').nth(1).unwrap_or_default();
    if FOR_PROGRAMS.contains(&first) || !matches!(method, Method::GET | Method::HEAD) {
        return not_found(path).into_response();
    }
    page::serve(path, &headers).unwrap_or_else(|| not_found(path).into_response())
}

fn not_found(path: &str) -> ApiError {
    let hint = unknown_name("path", path, ROUTES.iter().map(|route| route.path)).message;
    let near = hint
        .split_once("did you mean")
        .map_or("see /docs".to_owned(), |(_, near)| format!("did you mean{near}"));
    ApiError::new("not_found", format!("there is nothing at {path}; {near}"))
}

async fn wrong_method(method: Method, uri: Uri) -> Response {
    let path = uri.path();
    if engineio::is_path(path) {
        return engineio::Refused::BAD_METHOD.into_response();
    }
    let known = ROUTES
        .iter()
        .filter(|route| route.path == path)
        .map(|route| route.method.as_str());
    let known = known.collect::<Vec<_>>().join(", ");
    ApiError::new(
        "method_not_allowed",
        format!("{path} does not take {method}; it takes {known}"),
    )
    .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::CODES;

    #[test]
    fn every_route_is_listed_once_and_refuses_only_with_known_codes() {
        for (index, route) in ROUTES.iter().enumerate() {
            let twin = |other: &Route| other.path == route.path && other.method == route.method;
            assert!(!ROUTES[..index].iter().any(twin), "{} twice", route.path);
            for code in route.refuses {
                assert!(
                    CODES.iter().any(|known| known.name == *code),
                    "{}: {code}",
                    route.path
                );
            }
        }
    }

    #[test]
    fn a_mistyped_path_is_answered_with_the_nearest_one() {
        let error = not_found("/api/v1/event");
        assert_eq!(
            error.message,
            "there is nothing at /api/v1/event; did you mean `/api/v1/events`?"
        );
        assert!(
            not_found("/api/nothing/of/this/kind")
                .message
                .contains("see /docs")
        );
    }
}
