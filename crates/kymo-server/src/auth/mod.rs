//! Who is at the door: the owner's token, other tokens, and the cookie of a browser that was let in.
//!
//! Tokens are compared as hashes and in constant time. What a principal may do with events is the hub's to enforce;
//! here it is only found out who it is.
mod codes;
mod cookie;
mod secrets;
mod tokens;

use std::{path::Path, sync::Arc};

use axum::http::{HeaderMap, HeaderValue, header};
use kymo_event::LedgerId;
use kymo_hub::{Principal, Scope};
use tokio_util::sync::CancellationToken;

use crate::{StartError, error::ApiError};
use codes::Codes;
use cookie::Cookies;
pub(crate) use cookie::now_s;
pub(crate) use secrets::write_private;
pub use tokens::{TokenError, TokenInfo, TokenStore};

/// Somebody who was let in.
#[derive(Debug)]
pub(crate) struct Caller {
    /// Who, and what it may do.
    pub(crate) principal: Arc<Principal>,
    /// Told when the token is revoked: conversations end then.
    pub(crate) revoked: CancellationToken,
}

impl Caller {
    /// Somebody without a token, where a door lets such in.
    pub(crate) fn anonymous(scopes: Vec<Scope>) -> Arc<Self> {
        Self::new(Principal {
            name: "anonymous".into(),
            scopes,
            ..Principal::owner()
        })
    }

    fn new(principal: Principal) -> Arc<Self> {
        Arc::new(Self {
            principal: Arc::new(principal),
            revoked: CancellationToken::new(),
        })
    }

    /// Refuses a caller without the scope.
    pub(crate) fn needs(&self, scope: Scope) -> Result<(), ApiError> {
        if self.principal.may(scope) {
            return Ok(());
        }
        let word = match scope {
            Scope::Emit => "emit",
            Scope::Read => "read",
            Scope::Manage => "manage",
            Scope::Admin => "admin",
        };
        let name = &self.principal.name;
        Err(ApiError::new(
            "forbidden",
            format!("the token {name} lacks the scope {word}; use one that has it"),
        ))
    }

    /// Refuses a caller that may see only some events where the answer is about all of them.
    pub(crate) fn needs_all(&self) -> Result<(), ApiError> {
        if self.principal.bound.is_empty() {
            return Ok(());
        }
        Err(ApiError::new(
            "forbidden",
            format!(
                "the token {} is bound to some events, and this is about all of them",
                self.principal.name
            ),
        ))
    }
}

/// Everything that tells principals apart.
pub(crate) struct Auth {
    owner_hash: blake3::Hash,
    owner: Arc<Caller>,
    browser: Arc<Caller>,
    cookies: Cookies,
    /// One-time codes for browsers.
    pub(crate) codes: Codes,
    /// Tokens besides the owner's.
    pub(crate) tokens: TokenStore,
}

impl Auth {
    /// Reads the data folder's secrets, making those that are absent.
    pub(crate) fn open(data: &Path, ledger: &LedgerId) -> Result<Self, StartError> {
        let token = at(&data.join("token"), secrets::token)?;
        let key = at(&data.join("key"), secrets::key)?;
        let tokens = at(&data.join("tokens.json"), |_| TokenStore::open(data))?;
        let owner_hash = blake3::hash(token.as_bytes());
        Ok(Self {
            cookies: Cookies::new(&key, ledger, &owner_hash),
            owner_hash,
            owner: Caller::new(Principal::owner()),
            browser: Caller::new(Principal {
                name: "browser".into(),
                ..Principal::owner()
            }),
            codes: Codes::default(),
            tokens,
        })
    }

    /// Whoever sends these headers. A token that is sent must be good: there is no falling back to the cookie.
    pub(crate) fn identify(&self, headers: &HeaderMap) -> Result<Arc<Caller>, ApiError> {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            return self.identify_token(bearer(value)?);
        }
        if self.cookies.admits(headers, now_s()) {
            return Ok(self.browser.clone());
        }
        Err(ApiError::new(
            "unauthorized",
            "no token; send `Authorization: Bearer <token>` (the owner's is in the data folder's file `token`), or open the login URL that `kymo up` prints",
        ))
    }

    /// Whoever this token was made for.
    pub(crate) fn identify_token(&self, token: &str) -> Result<Arc<Caller>, ApiError> {
        let hash = blake3::hash(token.as_bytes());
        // `Hash` compares in constant time.
        if hash == self.owner_hash {
            return Ok(self.owner.clone());
        }
        self.tokens.caller(&hash).ok_or_else(|| {
            ApiError::new(
                "unauthorized",
                "this token is unknown here; it may have been revoked, or belong to another server",
            )
        })
    }

    /// Whoever sends these headers, if it has the scope.
    pub(crate) fn require(&self, headers: &HeaderMap, scope: Scope) -> Result<Arc<Caller>, ApiError> {
        let caller = self.identify(headers)?;
        caller.needs(scope)?;
        Ok(caller)
    }

    /// The `Set-Cookie` that lets a browser in from now on.
    pub(crate) fn cookie(&self) -> HeaderValue {
        self.cookies.issue(now_s())
    }
}

fn bearer(value: &HeaderValue) -> Result<&str, ApiError> {
    let text = value.to_str().ok();
    let parts = text.and_then(|text| text.trim().split_once(' '));
    match parts {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(ApiError::new(
            "unauthorized",
            "Authorization must be `Bearer <token>`",
        )),
    }
}

fn at<T>(path: &Path, read: impl FnOnce(&Path) -> std::io::Result<T>) -> Result<T, StartError> {
    read(path).map_err(|cause| StartError::Secret {
        path: path.to_owned(),
        cause,
    })
}
