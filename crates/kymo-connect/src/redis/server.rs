//! A connection to a Redis server that says when it is gone. Nothing is reconnected behind our back: what was lost
//! meanwhile must be known.

use std::{path::Path, time::Duration};

use kymo_hub::BridgeFault;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, Cmd, ErrorKind, ProtocolVersion, PushInfo, PushKind,
    RedisError, TlsCertificates, Value, aio::MultiplexedConnection, pipe,
};
use tokio_util::sync::CancellationToken;

use super::{ANSWER, settings::RedisServer};
use crate::secrets::{secret, unreadable};

/// A server that says nothing to one of these is gone.
const PING_EVERY: Duration = Duration::from_secs(3);
/// So much is written in one go while there is more.
const WRITE_BYTES: usize = 1 << 16;

/// An open connection. Dropped, it is closed.
#[derive(Clone)]
pub(super) struct Connection {
    connection: MultiplexedConnection,
    broker: String,
    lost: CancellationToken,
}

impl Connection {
    /// Connects. An answer may take `ANSWER` longer than `blocks`; `hear` is given what the server says unasked.
    pub(super) async fn open(
        server: &RedisServer,
        blocks: Duration,
        hear: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<Self, BridgeFault> {
        let broker = server.broker();
        let lost = CancellationToken::new();
        let ending = lost.clone();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER))
            .set_response_timeout(Some(ANSWER + blocks))
            .set_write_backpressure_boundary(WRITE_BYTES)
            .set_push_sender(move |push: PushInfo| {
                match push.kind {
                    PushKind::Disconnection => ending.cancel(),
                    _ => hear(push),
                }
                Ok::<(), redis::aio::SendError>(())
            });
        let client = client(server).await?;
        let connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map_err(|error| fault(&broker, &error))?;
        let connection = Self {
            connection,
            broker,
            lost,
        };
        // Who needs a password and gave none is told so by the first command.
        connection.ask(&redis::cmd("PING")).await?;
        Ok(connection)
    }

    pub(super) async fn ask(&self, command: &Cmd) -> Result<Value, BridgeFault> {
        self.try_ask(command)
            .await
            .map_err(|error| fault(&self.broker, &error))
    }

    /// The same, for whoever understands some errors.
    pub(super) async fn try_ask(&self, command: &Cmd) -> Result<Value, RedisError> {
        let mut connection = self.connection.clone();
        let answer = connection.send_packed_command(command).await?;
        answer.extract_error()
    }

    /// For subscriptions, which the client counts itself.
    pub(super) fn subscriber(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    /// Has all of it done, one by one; an answer for each.
    pub(super) async fn ask_each(
        &self,
        commands: Vec<Cmd>,
    ) -> Result<Vec<Result<Value, RedisError>>, RedisError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let mut all = pipe();
        all.ignore_errors();
        for command in commands {
            all.add_command(command);
        }
        let mut connection = self.connection.clone();
        let answers = connection.send_packed_commands(&all, 0, all.len()).await?;
        Ok(answers.into_iter().map(Value::extract_error).collect())
    }

    pub(super) fn broker(&self) -> &str {
        &self.broker
    }

    /// What is wrong, in words that say what to do.
    pub(super) fn fault(&self, error: &RedisError) -> BridgeFault {
        fault(&self.broker, error)
    }

    /// Waits until it is no good any more: it broke, or the server says nothing. Cancel-safe.
    pub(super) async fn lost(&self) -> BridgeFault {
        loop {
            tokio::select! {
                () = self.lost.cancelled() => {
                    let message = format!("the connection to {} was lost; start the server again", self.broker);
                    return BridgeFault::new("unreachable", message);
                }
                () = tokio::time::sleep(PING_EVERY) => {}
            }
            if let Err(fault) = self.ask(&redis::cmd("PING")).await {
                return fault;
            }
        }
    }
}

async fn client(server: &RedisServer) -> Result<Client, BridgeFault> {
    let invalid = |problem: String| BridgeFault::new("invalid_url", problem);
    let address = server.address().map_err(invalid)?;
    let mut redis = address
        .redis_settings()
        .clone()
        .set_protocol(ProtocolVersion::RESP3)
        .set_skip_set_lib_name();
    if let Some(user) = &server.user {
        redis = redis.set_username(user);
    }
    if let Some(file) = &server.password_file {
        redis = redis.set_password(secret(file).await?);
    }
    let tcp = address.tcp_settings().clone().set_nodelay(true);
    let address = address.set_redis_settings(redis).set_tcp_settings(tcp);
    let broker = server.broker();
    if server.tls_ca.is_none() && server.tls_cert.is_none() {
        return Client::open(address).map_err(|error| fault(&broker, &error));
    }
    let client_tls = match (&server.tls_cert, &server.tls_key) {
        (Some(cert), Some(key)) => Some(ClientTlsConfig {
            client_cert: pem(cert).await?,
            client_key: pem(key).await?,
        }),
        _ => None,
    };
    let root_cert = match &server.tls_ca {
        Some(file) => Some(pem(file).await?),
        None => None,
    };
    let certificates = TlsCertificates {
        client_tls,
        root_cert,
    };
    Client::build_with_tls(address, certificates).map_err(|error| {
        BridgeFault::new(
            "secret_unreadable",
            format!("the certificates cannot be used: {error}"),
        )
    })
}

async fn pem(file: &Path) -> Result<Vec<u8>, BridgeFault> {
    tokio::fs::read(file)
        .await
        .map_err(|error| unreadable(file, &error))
}

/// Why something did not work, in words that say what to do.
fn fault(broker: &str, error: &RedisError) -> BridgeFault {
    let mut causes = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !causes.contains(&text) {
            causes = format!("{causes}: {text}");
        }
        cause = inner.source();
    }
    let (code, advice) = judge(error, &causes);
    BridgeFault::new(code, format!("{broker}: {causes}; {advice}"))
}

fn judge(error: &RedisError, causes: &str) -> (&'static str, &'static str) {
    match error.code() {
        Some("WRONGPASS" | "NOAUTH") => return ("not_allowed", "look at user and password"),
        Some("NOPERM") => return ("not_allowed", "give this user the permission, or use another"),
        Some("OOM") => {
            return (
                "no_room",
                "give the server more memory (maxmemory), or less to keep",
            );
        }
        Some("WRONGTYPE") => {
            return (
                "wrong_type",
                "there is something else under this name: name another",
            );
        }
        Some("READONLY") => return ("read_only", "name the server that may be written to"),
        Some("NOGROUP" | "UNBLOCKED") => return ("group_lost", "it is made again"),
        Some("LOADING" | "MASTERDOWN" | "BUSY" | "TRYAGAIN" | "CLUSTERDOWN") => {
            return ("unavailable", "it is busy with itself; this passes");
        }
        _ => {}
    }
    match error.kind() {
        ErrorKind::AuthenticationFailed => ("not_allowed", "look at user and password"),
        ErrorKind::RESP3NotSupported => ("unsupported", "Redis 6 or newer is needed"),
        ErrorKind::InvalidClientConfig if !causes.contains("address") => {
            ("invalid_url", "write redis://HOST:PORT")
        }
        _ if error.is_timeout() => ("timeout", "look whether the server hangs"),
        _ if is_tls(causes) => ("tls_failed", "look at the host's name in `url`, and at `tls_ca`"),
        ErrorKind::Server(_) | ErrorKind::Extension => ("refused", "look at what the server says"),
        _ => ("unreachable", "start the server, or mend `url`"),
    }
}

fn is_tls(causes: &str) -> bool {
    let causes = causes.to_lowercase();
    ["certificate", "tls", "handshake", "alert", "corrupt message"]
        .iter()
        .any(|word| causes.contains(word))
}
