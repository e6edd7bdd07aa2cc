//! What a request to Engine.IO asks for, by its address alone.
use axum::{
    body::Body,
    http::{Method, Request, header},
};

use super::refusal::Refused;

/// How packets travel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Transport {
    Polling,
    WebSocket,
}

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) transport: Transport,
    pub(crate) sid: Option<String>,
    /// Whether the connection is to become a WebSocket.
    pub(crate) upgrades: bool,
    version: Option<String>,
}

impl Asked {
    /// Reads the address. Other parameters are the application's.
    pub(crate) fn of(request: &Request<Body>) -> Result<Self, Refused> {
        let mut asked = Self {
            transport: Transport::Polling,
            sid: None,
            upgrades: request.headers().contains_key(header::UPGRADE),
            version: None,
        };
        let mut transport = None;
        for (name, value) in pairs(request) {
            match &*name {
                "transport" => transport = Some(value),
                "sid" => asked.sid = Some(value),
                "EIO" => asked.version = Some(value),
                _ => {}
            }
        }
        asked.transport = match transport.as_deref() {
            Some("polling") => Transport::Polling,
            Some("websocket") => Transport::WebSocket,
            _ => return Err(Refused::UNKNOWN_TRANSPORT),
        };
        Ok(asked)
    }

    /// Whether this may begin a session.
    pub(crate) fn may_open(&self, method: &Method) -> Result<(), Refused> {
        if *method != Method::GET {
            return Err(Refused::BAD_METHOD);
        }
        if self.upgrades != (self.transport == Transport::WebSocket) {
            return Err(Refused::BAD_REQUEST);
        }
        match self.version.as_deref() {
            Some("4") => Ok(()),
            _ => Err(Refused::UNSUPPORTED_VERSION),
        }
    }
}

/// The parameters of an address, decoded; none if it cannot be.
pub(crate) fn pairs(request: &Request<Body>) -> Vec<(String, String)> {
    let query = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(request.uri());
    query.map_or_else(|_| Vec::new(), |query| query.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str, upgrade: bool) -> Result<Asked, Refused> {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = format!("/socket.io/?{query}").parse().expect("an address");
        if upgrade {
            let value = "websocket".parse().expect("a value");
            request.headers_mut().insert(header::UPGRADE, value);
        }
        Asked::of(&request)
    }

    fn code(refused: Result<(), Refused>) -> Option<u8> {
        match refused.err()? {
            Refused::Protocol { code, .. } => Some(code),
            Refused::Ours(_) => None,
        }
    }

    #[test]
    fn what_may_open_a_session_is_what_the_reference_lets_in() {
        let open = |query: &str, upgrade, method| {
            code(asked(query, upgrade).and_then(|asked| asked.may_open(&method)))
        };
        assert_eq!(open("EIO=4&transport=polling&t=x", false, Method::GET), None);
        assert_eq!(open("EIO=4&transport=websocket", true, Method::GET), None);
        assert_eq!(open("EIO=4", false, Method::GET), Some(0));
        assert_eq!(open("EIO=4&transport=webtransport", false, Method::GET), Some(0));
        assert_eq!(open("EIO=4&transport=polling", false, Method::POST), Some(2));
        assert_eq!(open("EIO=4&transport=websocket", false, Method::GET), Some(3));
        assert_eq!(open("transport=polling", false, Method::GET), Some(5));
        assert_eq!(open("EIO=3&transport=polling", false, Method::GET), Some(5));
    }
}
