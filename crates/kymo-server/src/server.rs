//! Accepts connections, hands their requests to the routes, and ends everything in order.
//!
//! Shutdown loses nothing: accepting stops, requests in flight are answered, readers are told, and what does not end
//! within a few seconds is cut. Closing the hub afterwards is the caller's.
use std::{
    convert::Infallible, io, net::SocketAddr, panic::AssertUnwindSafe, path::PathBuf, sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, HeaderValue, Method, Request, Response, header},
    response::IntoResponse,
};
use futures_util::{
    FutureExt, StreamExt,
    future::{join, join_all},
    stream::FuturesUnordered,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::util::ServiceExt;
use tracing::{debug, warn};

use crate::{
    app::{App, Application, Parts},
    auth::Auth,
    conductor::Conductor,
    descriptors, direct,
    doors::Which,
    error::{ApiError, answers},
    gate::Entry,
    routes,
    settings::ServerSettings,
    socket::Patient,
    socketio::SocketIo,
};

/// How long the head of a request may take, also on a connection that is kept alive.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// What the head of a request may take; also the largest part of a body that is read at once. Strangers have it, too.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// How long conversations may take to end at shutdown before they are cut.
const END_WITHIN: Duration = Duration::from_secs(5);
/// How long accepting rests when the system has no more descriptors.
const REST: Duration = Duration::from_millis(50);

/// A bound server that is not serving yet: the address is known, nothing is accepted.
pub struct Server {
    listener: TcpListener,
    /// Ports of doors.
    doors: Vec<(Which, TcpListener)>,
    app: App,
}

/// Why it does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is taken or not allowed.
    #[error("cannot listen on {addr}")]
    Listen {
        /// Where it should have listened.
        addr: SocketAddr,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// Beyond loopback without `--insecure`.
    #[error(
        "{addr} is reachable from other machines and there is no TLS here; pass --insecure to accept that"
    )]
    NotLoopback {
        /// Where it should have listened.
        addr: SocketAddr,
    },
    /// Token or key file, or one that keeps what was made over the API.
    #[error("{} could not be read or written", path.display())]
    Secret {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
}

impl Server {
    /// Binds, makes `token` and `key` where absent.
    pub async fn bind(settings: ServerSettings, parts: Parts) -> Result<Self, StartError> {
        let ports = settings.doors.own_ports();
        for addr in ports.iter().map(|(_, addr)| *addr).chain([settings.listen]) {
            if !addr.ip().is_loopback() && !settings.insecure {
                return Err(StartError::NotLoopback { addr });
            }
        }
        let auth = Auth::open(&parts.data, &parts.hub.ledger().id())?;
        let (listener, addr) = listen(settings.listen).await?;
        let (mut doors, mut bound) = (Vec::new(), Vec::new());
        for (which, addr) in ports {
            let (listener, addr) = listen(addr).await?;
            doors.push((which, listener));
            bound.push((which, addr));
        }
        let port_of = |which| {
            bound
                .iter()
                .find(|(other, _)| *other == which)
                .map(|(_, addr)| *addr)
        };
        let mut app = Application::new(&settings, parts, addr, auth);
        app.socketio = SocketIo::open(&settings, port_of(Which::SocketIo));
        app.conductor = Conductor::open(&settings, port_of(Which::Conductor));
        app.rules.load(app.hub())?;
        Ok(Self {
            listener,
            doors,
            app: Arc::new(app),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.app.addr
    }

    /// Where the Socket.IO door has a port of its own.
    #[must_use]
    pub fn socketio_addr(&self) -> Option<SocketAddr> {
        self.app.socketio.as_ref()?.addr
    }

    /// Where the conductor's door has a port of its own.
    #[must_use]
    pub fn conductor_addr(&self) -> Option<SocketAddr> {
        self.app.conductor.as_ref()?.addr
    }

    /// A URL that logs a browser in, once, within five minutes.
    ///
    /// # Panics
    /// If the system has no random numbers to give.
    #[must_use]
    pub fn login_url(&self) -> String {
        self.app
            .login_url()
            .expect("the system gave random numbers for the token before")
    }

    /// Serves until `shutdown`; then stops accepting, ends requests in flight, tells readers, and returns. The caller
    /// closes the hub (before this returns readers have been told).
    pub async fn serve(self, shutdown: CancellationToken) -> io::Result<()> {
        let Self { listener, doors, app } = self;
        let acceptor = Acceptor {
            app: app.clone(),
            connections: TaskTracker::new(),
            connections_max: descriptors::connections_max(),
            cut: CancellationToken::new(),
        };
        let at_door = |(which, listener)| {
            let router = routes::door_router(app.clone(), which);
            acceptor.run(listener, Entrance::Door(router, which))
        };
        let doors = join_all(doors.into_iter().map(at_door));
        let server = acceptor.run(listener, Entrance::Server(routes::router(app.clone())));
        shutdown.run_until_cancelled(join(server, doors)).await;
        app.closing.cancel();
        end(&[&acceptor.connections, &app.conversations], &acceptor.cut).await;
        app.lane.end();
        Ok(())
    }
}

async fn listen(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let listen = async {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        Ok((listener, addr))
    };
    listen.await.map_err(|cause| StartError::Listen { addr, cause })
}

/// What is behind a port.
#[derive(Clone)]
enum Entrance {
    /// Everything.
    Server(Router),
    /// A door and nothing else.
    Door(Router, Which),
}

/// Takes connections in, as many as there may be at all ports together.
struct Acceptor {
    app: App,
    connections: TaskTracker,
    connections_max: u64,
    /// Told when connections are cut that do not end.
    cut: CancellationToken,
}

impl Acceptor {
    /// Accepts for ever.
    async fn run(&self, listener: TcpListener, entrance: Entrance) {
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    rest_after(&error).await;
                    continue;
                }
            };
            if (self.connections.len() + self.app.conversations.len()) as u64 >= self.connections_max {
                refuse(&stream);
                continue;
            }
            let connection = serve_connection(stream, self.app.clone(), entrance.clone());
            let cut = self.cut.clone();
            self.connections.spawn(async move {
                tokio::select! {
                    () = cut.cancelled() => {}
                    () = connection => {}
                }
            });
        }
    }
}

// Sockets that ended in the queue are no fault of the listener; a lack of descriptors passes.
async fn rest_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    ) {
        warn!(%error, "a connection could not be accepted");
        tokio::time::sleep(REST).await;
    }
}

/// Says that there are too many, without reading what is asked.
fn refuse(stream: &TcpStream) {
    let error = ApiError::new(
        "busy",
        "too many connections; close some, or try again in a moment",
    );
    // What the socket does not take at once, its client does without.
    let _ = stream.try_write(&error.retry_after(1).as_last_answer());
}

async fn end(trackers: &[&TaskTracker], cut: &CancellationToken) {
    let all = || async {
        for tracker in trackers {
            tracker.close();
            tracker.wait().await;
        }
    };
    if timeout(END_WITHIN, all()).await.is_err() {
        debug!("cutting connections that do not end");
        cut.cancel();
        // What is left are WebSockets, which have deadlines of their own.
        let _ = timeout(END_WITHIN, all()).await;
    }
}

async fn serve_connection(stream: TcpStream, app: App, entrance: Entrance) {
    let _open = app.counts.connections.enter();
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "a connection ended before it began");
        return;
    }
    let (stream, router, port_of) = match entrance {
        Entrance::Door(router, which) => (Patient::new(stream), router, Some(which)),
        Entrance::Server(router) => {
            // Boxed, so that a connection of another kind gives its memory back.
            match Box::pin(direct::serve(stream, HEAD_WITHIN, app.clone())).await {
                Ok(Some(stream)) => (stream, router, None),
                Ok(None) => return,
                Err(error) => return debug!(%error, "a connection ended early"),
            }
        }
    };
    // Asked only when it was woken: what all connections wait for together is touched once by each.
    let mut closing = FuturesUnordered::from_iter([app.closing.clone().cancelled_owned()]);
    let service = service_fn(move |request| answer(app.clone(), router.clone(), port_of, request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        Some(()) = closing.next() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        debug!(%error, "a connection ended early");
    }
}

async fn answer(
    app: App,
    router: Router,
    port_of: Option<Which>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let gate = app.gate_of(port_of, request.uri().path());
    let response = match gate.check(request.uri().authority(), request.headers()) {
        Ok(entry) => enter(entry, router, request).await,
        Err(error) => error.into_response(),
    };
    app.counts.answered(response.status().as_u16());
    Ok(guard(response))
}

async fn enter(entry: Entry, router: Router, request: Request<Incoming>) -> Response<Body> {
    let Some(origin) = entry.foreign_origin else {
        return route(router, request).await;
    };
    let mut response = if request.method() == Method::OPTIONS {
        answers::SILENCE.into_response()
    } else {
        route(router, request).await
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    set(headers, header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, DELETE");
    set(
        headers,
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        "Authorization, Content-Type, Content-Encoding, Last-Event-ID",
    );
    set(headers, header::ACCESS_CONTROL_MAX_AGE, "600");
    response
}

// A fault of ours costs the request it happened in and nothing else.
async fn route(router: Router, request: Request<Incoming>) -> Response<Body> {
    match AssertUnwindSafe(router.oneshot(request)).catch_unwind().await {
        Ok(Ok(response)) => response,
        Err(_) => ApiError::fault().into_response(),
    }
}

/// Headers that keep a browser from making more of an answer than it is.
pub(crate) const GUARDS: [(header::HeaderName, &str); 3] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
];

fn guard(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    for (name, value) in GUARDS {
        // The page has a policy of its own.
        headers
            .entry(name)
            .or_insert_with(|| HeaderValue::from_static(value));
    }
    response
}

fn set(headers: &mut HeaderMap, name: header::HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}
