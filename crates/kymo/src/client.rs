//! Speaks HTTP with a server: one blocking client, errors in plain words.
use std::{io::Read, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use ureq::{Agent, Body, http::Response};

use crate::{
    failure::{Failure, Kind},
    find::Endpoint,
    receipt::Receipt,
};

/// How long a server may take to answer anything but a stream.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Rates are counted by the second.
const RATE_WINDOW: Duration = Duration::from_secs(1);
/// How long it may take to be reached.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// A stream that is silent for this long is dead: the server sends a comment every 15 seconds.
const SILENT_FOR: Duration = Duration::from_secs(45);

/// A client of one server.
#[derive(Clone)]
pub(crate) struct Client {
    agent: Agent,
    base: String,
    token: Option<String>,
}

/// Why there is no good answer.
#[derive(Debug)]
pub(crate) enum ClientError {
    /// Nobody answered, or not in time.
    Unreachable { url: String, cause: String },
    /// The server said no.
    Refused {
        status: u16,
        code: String,
        message: String,
        retry_after_s: Option<u64>,
    },
    /// An answer that no Kymo server gives.
    Strange { url: String, what: String },
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error: ErrorBody,
}

#[derive(Deserialize)]
struct ErrorBody {
    code: String,
    message: String,
}

impl Client {
    pub(crate) fn new(endpoint: &Endpoint) -> Self {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_WITHIN))
            .timeout_per_read(Some(SILENT_FOR))
            .user_agent(concat!("kymo/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&endpoint.url) {
            // A proxy of the environment cannot reach this machine's own ports.
            config = config.proxy(None);
        }
        Self {
            agent: config.build().into(),
            base: endpoint.url.clone(),
            token: endpoint.token.clone(),
        }
    }

    /// Where it speaks to.
    pub(crate) fn url(&self) -> &str {
        &self.base
    }

    /// Posts records, one JSON object a line. Gives up after `within`.
    pub(crate) fn post_lines(&self, lines: &[u8], within: Duration) -> Result<Receipt, ClientError> {
        let request = self
            .agent
            .post(self.at("/api/v1/events"))
            .config()
            .timeout_global(Some(within))
            .build()
            .header("content-type", "application/x-ndjson");
        let answer = self
            .authorized(request)
            .send(lines)
            .map_err(|cause| self.unreachable(&cause))?;
        self.receipt(answer)
    }

    /// Posts records until the server has decided about each: a busy server is waited for, and what its rate limit
    /// held back is sent again. For those who have all the time, since what they read stays where it is.
    pub(crate) fn post_patiently(&self, records: &[&str], within: Duration) -> Result<Receipt, ClientError> {
        let mut whole = Receipt::default();
        let mut left: Vec<usize> = (0..records.len()).collect();
        loop {
            let lines: Vec<&str> = left.iter().map(|&index| records[index]).collect();
            match self.post_lines((lines.join("\n") + "\n").as_bytes(), within) {
                Ok(part) => {
                    left = whole.take_over(part, &left);
                    if left.is_empty() {
                        return Ok(whole);
                    }
                    std::thread::sleep(RATE_WINDOW);
                }
                Err(ClientError::Refused {
                    status: 429,
                    retry_after_s,
                    ..
                }) => std::thread::sleep(retry_after_s.map_or(RATE_WINDOW, Duration::from_secs)),
                Err(error) => return Err(error),
            }
        }
    }

    /// GET of a JSON answer; `query` as name and value pairs.
    pub(crate) fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, ClientError> {
        let text = self.get_text(path, query)?;
        serde_json::from_str(&text).map_err(|error| self.strange(&error.to_string()))
    }

    /// GET of a JSON answer as text.
    pub(crate) fn get_text(&self, path: &str, query: &[(&str, String)]) -> Result<String, ClientError> {
        let request = self
            .agent
            .get(self.at(path))
            .query_pairs(query.iter().map(|(name, value)| (*name, value.as_str())))
            .config()
            .timeout_global(Some(ANSWER_WITHIN))
            .build();
        let answer = self
            .authorized(request)
            .call()
            .map_err(|cause| self.unreachable(&cause))?;
        self.text(self.good(answer)?)
    }

    /// POST of a JSON value for a JSON answer.
    pub(crate) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        value: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(value).expect("requests of ours become JSON");
        let request = self
            .agent
            .post(self.at(path))
            .config()
            .timeout_global(Some(ANSWER_WITHIN))
            .build()
            .header("content-type", "application/json");
        let answer = self
            .authorized(request)
            .send(&body[..])
            .map_err(|cause| self.unreachable(&cause))?;
        let text = self.text(self.good(answer)?)?;
        let text = if text.trim().is_empty() { "null" } else { &text };
        serde_json::from_str(text).map_err(|error| self.strange(&error.to_string()))
    }

    /// DELETE of a thing.
    pub(crate) fn delete(&self, path: &str) -> Result<(), ClientError> {
        let request = self
            .agent
            .delete(self.at(path))
            .config()
            .timeout_global(Some(ANSWER_WITHIN))
            .build();
        let answer = self
            .authorized(request)
            .call()
            .map_err(|cause| self.unreachable(&cause))?;
        self.good(answer).map(drop)
    }

    /// Opens a stream of server-sent events. Reads fail once the server has been silent for too long.
    pub(crate) fn stream(&self, query: &[(&str, String)]) -> Result<impl Read + use<>, ClientError> {
        let request = self
            .agent
            .get(self.at("/api/v1/stream"))
            .query_pairs(query.iter().map(|(name, value)| (*name, value.as_str())))
            .header("accept", "text/event-stream");
        let answer = self
            .authorized(request)
            .call()
            .map_err(|cause| self.unreachable(&cause))?;
        Ok(self
            .good(answer)?
            .into_body()
            .into_with_config()
            .limit(u64::MAX)
            .reader())
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn authorized<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    /// A batch that was refused as a whole still has a receipt.
    fn receipt(&self, answer: Response<Body>) -> Result<Receipt, ClientError> {
        let status = answer.status().as_u16();
        // 429 with a receipt: the rate limit held back every record of it.
        if !matches!(status, 200 | 422 | 429) {
            return self
                .good(answer)
                .and_then(|_| Err(self.strange(&format!("status {status}"))));
        }
        let retry_after_s = retry_after_s(&answer);
        let text = self.text(answer)?;
        serde_json::from_str(&text).map_err(|error| match serde_json::from_str::<ErrorAnswer>(&text) {
            Ok(ErrorAnswer { error }) => ClientError::Refused {
                status,
                code: error.code,
                message: error.message,
                retry_after_s,
            },
            Err(_) => self.strange(&error.to_string()),
        })
    }

    fn good(&self, mut answer: Response<Body>) -> Result<Response<Body>, ClientError> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let retry_after_s = retry_after_s(&answer);
        let text = answer.body_mut().read_to_string().unwrap_or_default();
        let Ok(ErrorAnswer { error }) = serde_json::from_str(&text) else {
            return Err(self.strange(&format!("status {status}")));
        };
        Err(ClientError::Refused {
            status: status.as_u16(),
            code: error.code,
            message: error.message,
            retry_after_s,
        })
    }

    fn text(&self, answer: Response<Body>) -> Result<String, ClientError> {
        answer
            .into_body()
            .into_with_config()
            .limit(1 << 30)
            .read_to_string()
            .map_err(|cause| self.unreachable(&cause))
    }

    fn unreachable(&self, cause: &ureq::Error) -> ClientError {
        ClientError::Unreachable {
            url: self.base.clone(),
            cause: match cause {
                ureq::Error::Io(cause) => cause.to_string(),
                cause => cause.to_string(),
            },
        }
    }

    fn strange(&self, what: &str) -> ClientError {
        ClientError::Strange {
            url: self.base.clone(),
            what: what.to_owned(),
        }
    }
}

fn retry_after_s(answer: &Response<Body>) -> Option<u64> {
    answer.headers().get("retry-after")?.to_str().ok()?.parse().ok()
}

fn is_loopback(url: &str) -> bool {
    let host = url.split("://").nth(1).unwrap_or(url);
    host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]")
}

impl ClientError {
    /// Whether the token is the trouble.
    pub(crate) fn is_denial(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                status: 401 | 403,
                ..
            }
        )
    }

    /// Whether the same request may succeed later without anybody changing anything.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => matches!(status, 429 | 503 | 507),
            Self::Strange { .. } => false,
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Unreachable { url, cause } => Self::new(
                Kind::NoServer,
                format!("the server at {url} does not answer: {cause}"),
            )
            .hint("`kymo status` says what runs; `kymo up` starts a server"),
            ClientError::Refused {
                status,
                code,
                message,
                ..
            } => refused(status, &code, &message),
            ClientError::Strange { url, what } => {
                Self::failed(format!("{url} does not answer like a Kymo server: {what}"))
                    .hint("check the address, and that both sides are of the same version")
            }
        }
    }
}

fn refused(status: u16, code: &str, message: &str) -> Failure {
    let kind = match status {
        401 | 403 => Kind::Denied,
        _ => Kind::Failed,
    };
    let failure = Failure::new(kind, message).code(code);
    match status {
        401 => failure.hint("pass a token with --token or KYMO_TOKEN; `kymo token show` prints the owner's"),
        403 => failure.hint("this needs a token with a wider scope; `kymo token create` makes one"),
        _ => failure,
    }
}
