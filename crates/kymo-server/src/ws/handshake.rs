//! The opening handshake (RFC 6455, section 4.2).
use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Version, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha1::{Digest, Sha1};

use crate::error::{ApiError, answers};

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The answer that switches protocols, or why it does not.
pub(crate) fn answer(request: &Request<Body>) -> Result<Response<Body>, ApiError> {
    let headers = request.headers();
    if request.version() != Version::HTTP_11 || !has_token(headers, &header::CONNECTION, "upgrade") {
        return Err(refused(
            "this path speaks WebSocket; connect with a WebSocket client",
        ));
    }
    if !has_token(headers, &header::UPGRADE, "websocket") {
        return Err(refused("only an upgrade to websocket is possible here"));
    }
    if headers
        .get(header::SEC_WEBSOCKET_VERSION)
        .is_none_or(|version| version != "13")
    {
        return Err(refused("only WebSocket version 13 is spoken here"));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|key| is_key(key));
    let key = key.ok_or_else(|| refused("Sec-WebSocket-Key must be 16 bytes in base64"))?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answers::UPGRADED;
    let answer = response.headers_mut();
    answer.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    answer.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    answer.insert(header::SEC_WEBSOCKET_ACCEPT, accept(key));
    Ok(response)
}

fn refused(reason: &str) -> ApiError {
    ApiError::new("upgrade_required", reason)
}

fn is_key(key: &HeaderValue) -> bool {
    STANDARD
        .decode(key.as_bytes())
        .is_ok_and(|bytes| bytes.len() == 16)
}

fn accept(key: &HeaderValue) -> HeaderValue {
    let digest = Sha1::new()
        .chain_update(key.as_bytes())
        .chain_update(GUID)
        .finalize();
    HeaderValue::from_str(&STANDARD.encode(digest)).expect("base64 is ASCII")
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|word| word.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_the_rfc_is_answered_as_the_rfc_says() {
        let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
        assert!(is_key(&key));
        assert_eq!(accept(&key), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn what_is_no_handshake_is_refused() {
        let good = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let request = |without: usize, value: Option<&str>| {
            let mut request = Request::new(Body::empty());
            for (index, (name, good)) in good.iter().enumerate() {
                if index != without {
                    request
                        .headers_mut()
                        .insert(*name, good.parse().expect("a value"));
                } else if let Some(value) = value {
                    request
                        .headers_mut()
                        .insert(*name, value.parse().expect("a value"));
                }
            }
            answer(&request)
                .map(|response| response.status().as_u16())
                .map_err(|error| error.code)
        };
        assert_eq!(request(usize::MAX, None), Ok(101));
        for (index, (name, _)) in good.iter().enumerate() {
            assert_eq!(request(index, None), Err("upgrade_required"), "without {name}");
            assert_eq!(
                request(index, Some("x")),
                Err("upgrade_required"),
                "with a bad {name}"
            );
        }
    }
}
