//! The cookie of a browser that was let in: an expiry and a signature, nothing to look up, so it survives restarts.
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, HeaderValue, header};
use kymo_event::LedgerId;

/// How long a browser stays in.
const GOOD_FOR_S: u64 = 30 * 24 * 3600;

/// Signs and checks cookies.
pub(crate) struct Cookies {
    name: String,
    key: [u8; 32],
}

impl Cookies {
    /// Signing with a key derived from the folder's key and the owner's token: a new token ends all sessions.
    pub(crate) fn new(key: &[u8; 32], ledger: &LedgerId, owner: &blake3::Hash) -> Self {
        // Cookies are shared by all ports of a host; the name keeps neighbouring servers apart.
        let tag: String = ledger
            .as_str()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(12)
            .collect();
        Self {
            name: format!("kymo_{tag}"),
            key: *blake3::keyed_hash(key, owner.as_bytes()).as_bytes(),
        }
    }

    /// The `Set-Cookie` value of a session that begins now.
    pub(crate) fn issue(&self, now_s: u64) -> HeaderValue {
        let expires = now_s + GOOD_FOR_S;
        let signature = self.sign(expires).to_hex();
        let text = format!(
            "{}={expires}.{signature}; Path=/; Max-Age={GOOD_FOR_S}; HttpOnly; SameSite=Strict",
            self.name
        );
        HeaderValue::from_str(&text).expect("a cookie of ASCII characters")
    }

    /// Whether a good cookie is among the headers.
    pub(crate) fn admits(&self, headers: &HeaderMap, now_s: u64) -> bool {
        let texts = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let mut pairs = texts
            .flat_map(|text| text.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        pairs.any(|(name, value)| name == self.name && self.is_good(value, now_s))
    }

    fn is_good(&self, value: &str, now_s: u64) -> bool {
        let Some((expires, signature)) = value.split_once('.') else {
            return false;
        };
        let (Ok(expires), Ok(signature)) = (expires.parse::<u64>(), blake3::Hash::from_hex(signature)) else {
            return false;
        };
        // `Hash` compares in constant time.
        expires > now_s && signature == self.sign(expires)
    }

    fn sign(&self, expires: u64) -> blake3::Hash {
        blake3::keyed_hash(&self.key, format!("{} until {expires}", self.name).as_bytes())
    }
}

/// Seconds since 1970.
pub(crate) fn now_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookies(key: u8, token: &str) -> Cookies {
        Cookies::new(
            &[key; 32],
            &LedgerId::new("0198c2f0-6f1e"),
            &blake3::hash(token.as_bytes()),
        )
    }

    fn sent_back(set: &HeaderValue) -> HeaderMap {
        let pair = set.to_str().expect("text").split(';').next().expect("a pair");
        let mut headers = HeaderMap::new();
        headers.insert(
            header::COOKIE,
            format!("other=1; {pair}").parse().expect("a header"),
        );
        headers
    }

    #[test]
    fn a_cookie_is_good_until_it_expires_and_over_restarts() {
        let headers = sent_back(&cookies(1, "t").issue(1000));
        assert!(cookies(1, "t").admits(&headers, 1000 + GOOD_FOR_S - 1));
        assert!(!cookies(1, "t").admits(&headers, 1000 + GOOD_FOR_S));
    }

    #[test]
    fn a_cookie_of_another_key_or_token_or_with_a_changed_expiry_is_refused() {
        let set = cookies(1, "t").issue(1000);
        let headers = sent_back(&set);
        assert!(!cookies(2, "t").admits(&headers, 1000));
        assert!(!cookies(1, "new").admits(&headers, 1000));
        let longer = set
            .to_str()
            .expect("text")
            .replacen(&(1000 + GOOD_FOR_S).to_string(), "9999999999", 1);
        assert!(!cookies(1, "t").admits(&sent_back(&longer.parse().expect("a header")), 1000));
    }

    #[test]
    fn scripts_cannot_read_it_and_other_sites_cannot_send_it() {
        let set = cookies(1, "t").issue(0);
        let text = set.to_str().expect("text");
        assert!(text.contains("; HttpOnly") && text.contains("; SameSite=Strict"));
    }
}
