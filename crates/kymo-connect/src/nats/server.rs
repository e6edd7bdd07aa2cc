//! A connection to a NATS server that says when it is gone. Nothing is reconnected behind our back: what was lost
//! meanwhile must be known.

use std::{
    fmt::Display,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use async_nats::{
    Client, ConnectError, ConnectErrorKind, ConnectOptions, Event, HeaderMap, ServerAddr, ServerError,
    Statistics, connection::State,
};
use futures_util::StreamExt;
use kymo_hub::BridgeFault;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::{ANSWER, settings::NatsServer};
use crate::secrets::{secret, unreadable};

/// A server that says nothing to two of these is gone.
const PING_EVERY: Duration = Duration::from_secs(3);

/// What happened to a connection is told by the way and may be lost there; so it is looked at, too.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Denials kept until somebody asks for them.
const DENIED_MAX: usize = 1_024;

/// An open connection. Dropped, it is closed.
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) broker: String,
    seen: watch::Receiver<Seen>,
    denied: Arc<Mutex<Vec<Denied>>>,
    statistics: Arc<Statistics>,
}

/// What the client said of it.
#[derive(Clone, Debug, Default)]
struct Seen {
    lost: bool,
    /// Messages that found no room.
    dropped: u64,
    /// The newest complaint of the server that is about no single message.
    complaint: Option<String>,
    /// How often it was not allowed to publish.
    denials: usize,
}

/// A message that the server did not take: this user may not publish there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Denied {
    /// The message's subject.
    pub(super) subject: String,
    /// The server's words.
    pub(super) words: String,
}

impl Connection {
    pub(super) async fn open(server: &NatsServer, waiting_max: usize) -> Result<Self, BridgeFault> {
        let broker = server.broker();
        let addresses = server
            .addresses()
            .map_err(|problem| BridgeFault::new("invalid_url", problem))?;
        let (sender, seen) = watch::channel(Seen::default());
        let sender = Arc::new(sender);
        let denied = Arc::new(Mutex::new(Vec::new()));
        let denied_to_hear = Arc::clone(&denied);
        let options = options(server, addresses.first()).await?;
        let options = options
            .name("kymo")
            .connection_timeout(ANSWER)
            .ping_interval(PING_EVERY)
            .max_reconnects(Some(1))
            .ignore_discovered_servers()
            .subscription_capacity(waiting_max.max(1))
            .event_callback(move |event| {
                sender.send_modify(|seen| seen.hear(event, &denied_to_hear));
                std::future::ready(())
            });
        let client = options
            .connect(addresses)
            .await
            .map_err(|error| refused(&broker, &error))?;
        Ok(Self {
            statistics: client.statistics(),
            client,
            broker,
            seen,
            denied,
        })
    }

    /// Waits until it is no good any more. Cancel-safe.
    pub(super) async fn lost(&self) -> BridgeFault {
        let mut seen = self.seen.clone();
        while !self.is_gone() {
            tokio::select! {
                _ = seen.wait_for(|seen| seen.lost) => break,
                () = sleep(LOOK_EVERY) => {}
            }
        }
        let why = seen.borrow().complaint.clone();
        let why = why.map_or(String::new(), |why| format!(": {why}"));
        BridgeFault::new(
            "unreachable",
            format!("the connection to {} was lost{why}", self.broker),
        )
    }

    /// Whether it is another one by now, or none.
    fn is_gone(&self) -> bool {
        let is_another = self.statistics.connects.load(Relaxed) > 1;
        is_another || self.client.connection_state() == State::Disconnected
    }

    fn not_allowed(&self, words: &str) -> BridgeFault {
        let message = format!(
            "{} says: {words}; give this user the permission, or use another",
            self.broker
        );
        BridgeFault::new("not_allowed", message)
    }

    /// Waits for a complaint that is about no single message: usually of what is asked for. Cancel-safe.
    pub(super) async fn complained(&self) -> BridgeFault {
        let mut seen = self.seen.clone();
        let complaint = match seen.wait_for(|seen| seen.complaint.is_some()).await {
            Ok(seen) => seen.complaint.clone().filter(|_| !seen.lost),
            Err(_) => None,
        };
        match complaint {
            Some(words) => self.not_allowed(&words),
            None => self.lost().await,
        }
    }

    /// Waits until it was not allowed to publish something; which, the answer of [`Self::take_denied`] says. Cancel-safe.
    pub(super) async fn denied(&self) {
        let mut seen = self.seen.clone();
        let is_any = || {
            !self
                .denied
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .is_empty()
        };
        if seen.wait_for(|_| is_any()).await.is_err() {
            // Whoever waits for this waits for the connection's end, too.
            std::future::pending().await
        }
    }

    /// What was not allowed to be published since it was asked for last, with the fault that says so.
    pub(super) fn take_denied(&self) -> Vec<(String, BridgeFault)> {
        let denied = std::mem::take(&mut *self.denied.lock().unwrap_or_else(PoisonError::into_inner));
        let denied = denied.into_iter();
        denied
            .map(|denied| (denied.subject, self.not_allowed(&denied.words)))
            .collect()
    }

    /// Waits for a complaint of any kind. Cancel-safe.
    pub(super) async fn turned_away(&self) -> BridgeFault {
        tokio::select! {
            fault = self.complained() => fault,
            () = self.denied() => {
                let newest = self.take_denied().pop();
                newest.map_or_else(|| self.not_allowed("it may not publish"), |(_, fault)| fault)
            }
        }
    }

    /// How often it was not allowed to publish, since it was opened.
    pub(super) fn denials(&self) -> usize {
        self.seen.borrow().denials
    }

    /// Messages of which was said that they found no room since the connection was opened: not all are said.
    pub(super) fn dropped(&self) -> u64 {
        self.seen.borrow().dropped
    }

    /// Messages that arrived, also those that found no room.
    pub(super) fn arrived(&self) -> u64 {
        self.statistics.in_messages.load(Relaxed)
    }

    /// Waits until the server has done everything it was told before.
    pub(super) async fn settle(&self) -> Result<(), BridgeFault> {
        let inbox = self.client.new_inbox();
        let failed = |error: &dyn Display| {
            BridgeFault::new("unreachable", format!("{} does not answer: {error}", self.broker))
        };
        let mut echo = self
            .client
            .subscribe(inbox.clone())
            .await
            .map_err(|error| failed(&error))?;
        let published = self
            .client
            .publish_with_headers(inbox, HeaderMap::new(), "".into())
            .await;
        published.map_err(|error| failed(&error))?;
        tokio::select! {
            biased;
            fault = self.turned_away() => Err(fault),
            echoed = timeout(ANSWER, echo.next()) => match echoed {
                Ok(Some(_)) => Ok(()),
                Ok(None) => Err(failed(&"the connection was lost")),
                Err(_) => Err(BridgeFault::new("timeout", format!("{} does not answer", self.broker))),
            },
        }
    }
}

impl Seen {
    fn hear(&mut self, event: Event, denied: &Mutex<Vec<Denied>>) {
        match event {
            Event::Disconnected | Event::Closed => self.lost = true,
            Event::SlowConsumer(_) | Event::ServerError(ServerError::SlowConsumer(_)) => self.dropped += 1,
            Event::ServerError(error) => match Denied::read(&error.to_string()) {
                Some(one) => {
                    self.denials += 1;
                    let mut denied = denied.lock().unwrap_or_else(PoisonError::into_inner);
                    if denied.len() < DENIED_MAX {
                        denied.push(one);
                    }
                }
                None => self.complaint = Some(error.to_string()),
            },
            // It could not connect anew; that it was lost may not have been told.
            Event::ClientError(error) => (self.lost, self.complaint) = (true, Some(error.to_string())),
            Event::Connected | Event::LameDuckMode | Event::Draining => {}
        }
    }
}

impl Denied {
    /// Understands a complaint, if it is one of this kind: the server writes the subject in quotes, as Go does.
    fn read(words: &str) -> Option<Self> {
        let (_, rest) = words.split_once("Permissions Violation for Publish to \"")?;
        let (mut subject, mut chars) = (String::new(), rest.chars());
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => subject.push(chars.next()?),
                c => subject.push(c),
            }
        }
        Some(Self {
            subject,
            words: words.to_owned(),
        })
    }
}

async fn options(server: &NatsServer, address: Option<&ServerAddr>) -> Result<ConnectOptions, BridgeFault> {
    let mut options = ConnectOptions::new();
    // In an address a user without a password is a token.
    options = match address.map(|address| (address.username(), address.password())) {
        Some((Some(user), Some(password))) => options.user_and_password(unescaped(user), unescaped(password)),
        Some((Some(token), None)) => options.token(unescaped(token)),
        _ => options,
    };
    if let (Some(user), Some(file)) = (&server.user, &server.password_file) {
        options = options.user_and_password(user.clone(), secret(file).await?);
    }
    if let Some(file) = &server.token_file {
        options = options.token(secret(file).await?);
    }
    if let Some(file) = &server.nkey_file {
        options = options.nkey(secret(file).await?);
    }
    if let Some(file) = &server.credentials_file {
        let credentials = secret(file).await?;
        options = options
            .credentials(&credentials)
            .map_err(|error| unreadable(file, &error))?;
    }
    if let Some(file) = &server.tls_ca {
        options = options.add_root_certificates(file.clone()).require_tls(true);
    }
    if let (Some(cert), Some(key)) = (&server.tls_cert, &server.tls_key) {
        options = options
            .add_client_certificate(cert.clone(), key.clone())
            .require_tls(true);
    }
    Ok(options)
}

/// The text that `%40` and the like stand for.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, more)) = rest.split_first() {
        let code = more.get(..2).filter(|_| first == b'%');
        let code = code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { &more[2..] } else { more };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Why there is no connection, in words that say what to do.
fn refused(broker: &str, error: &ConnectError) -> BridgeFault {
    let mut causes = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !causes.contains(&text) {
            causes = format!("{causes}: {text}");
        }
        cause = inner.source();
    }
    let is_tls = causes.contains("certificate") || causes.contains("tls") || causes.contains("TLS");
    let (code, advice) = match error.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            ("not_allowed", "look at user, password, token or key")
        }
        _ if is_tls => ("tls_failed", "look at the host's name in `url`, and at `tls_ca`"),
        ConnectErrorKind::Tls => ("tls_failed", "look at the host's name in `url`, and at `tls_ca`"),
        ConnectErrorKind::TimedOut => ("timeout", "look whether the server hangs"),
        ConnectErrorKind::ServerParse => ("invalid_url", "write nats://HOST:PORT"),
        ConnectErrorKind::Dns | ConnectErrorKind::Io | ConnectErrorKind::MaxReconnects => {
            ("unreachable", "start the server, or mend `url`")
        }
    };
    BridgeFault::new(code, format!("{broker}: {causes}; {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_allowed_to_be_published_is_told_from_other_complaints() {
        let subject = |words: &str| Denied::read(words).map(|denied| denied.subject);
        for (words, expected) in [
            (r#"nats: Permissions Violation for Publish to "a.b""#, Some("a.b")),
            (
                r#"nats: Permissions Violation for Publish to "a.\"é\\""#,
                Some(r#"a."é\"#),
            ),
            (r#"nats: Permissions Violation for Publish to "a"#, None),
            (r#"nats: Permissions Violation for Subscription to "a.b""#, None),
            ("nats: Maximum Payload Violation", None),
        ] {
            assert_eq!(subject(words).as_deref(), expected, "{words}");
        }
    }

    #[test]
    fn a_password_in_an_address_may_have_any_character() {
        for (text, meant) in [
            ("a%40b%3A%2f", "a@b:/"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
            ("é", "é"),
        ] {
            assert_eq!(unescaped(text), meant);
        }
    }
}
