//! Compressed bodies: gzip and zstd, inflated piece by piece, so that a bomb stops at the limit and others get a turn.
use std::io::{self, Read};

use axum::http::{HeaderMap, header};

use crate::{
    budget::{Budget, Held},
    error::ApiError,
};

/// Inflated between two turns of others.
const SLICE: usize = 64 << 10;
/// Largest zstd window accepted, as a power of two: what one small body may make us allocate.
const WINDOW_LOG_MAX: u32 = 25;

/// How a body is compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Encoding {
    Gzip,
    Zstd,
}

impl Encoding {
    /// What the headers say; `None` for a plain body.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, ApiError> {
        let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return if headers.contains_key(header::CONTENT_ENCODING) {
                Err(unknown("several"))
            } else {
                Ok(None)
            };
        };
        let word = value.to_str().unwrap_or("?").trim().to_ascii_lowercase();
        match word.as_str() {
            "" | "identity" => Ok(None),
            "gzip" | "x-gzip" => Ok(Some(Self::Gzip)),
            "zstd" => Ok(Some(Self::Zstd)),
            _ => Err(unknown(&word)),
        }
    }
}

fn unknown(word: &str) -> ApiError {
    ApiError::new(
        "unsupported_encoding",
        format!("Content-Encoding {word} is not understood; send gzip, zstd or none"),
    )
}

/// Inflates a body to at most `max` bytes.
pub(crate) async fn inflate(
    encoding: Encoding,
    body: &[u8],
    max: usize,
    budget: &Budget,
) -> Result<Held, ApiError> {
    match encoding {
        Encoding::Gzip => drain(flate2::bufread::MultiGzDecoder::new(body), max, budget).await,
        Encoding::Zstd => {
            let mut decoder =
                zstd::stream::read::Decoder::with_buffer(body).map_err(|error| broken(&error))?;
            decoder
                .window_log_max(WINDOW_LOG_MAX)
                .map_err(|error| broken(&error))?;
            drain(decoder, max, budget).await
        }
    }
}

async fn drain(mut inflated: impl Read, max: usize, budget: &Budget) -> Result<Held, ApiError> {
    let mut held = budget.hold();
    let mut slice = vec![0; SLICE];
    let mut turn = None;
    loop {
        let count = inflated.read(&mut slice).map_err(|error| broken(&error))?;
        if count == 0 {
            return Ok(held);
        }
        held.extend(&slice[..count], max)?;
        if turn.is_none() {
            turn = budget.turn_for(held.len()).await;
        }
        tokio::task::yield_now().await;
    }
}

fn broken(error: &io::Error) -> ApiError {
    ApiError::new(
        "invalid_body",
        format!("the compressed body is damaged ({error}); nothing was stored"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::LARGE_BYTES;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).expect("memory")
    }

    async fn inflated(encoding: Encoding, body: &[u8], max: usize) -> Result<Vec<u8>, &'static str> {
        let held = inflate(encoding, body, max, &Budget::default())
            .await
            .map_err(|error| error.code)?;
        Ok(held.to_vec())
    }

    #[tokio::test]
    async fn what_was_compressed_comes_back_also_in_several_members() {
        let text = b"{\"type\":\"a\"}\n".repeat(20_000);
        let limit = text.len();
        for (encoding, compress) in [
            (Encoding::Gzip, gzip as fn(&[u8]) -> Vec<u8>),
            (Encoding::Zstd, zstd),
        ] {
            assert_eq!(
                inflated(encoding, &compress(&text), limit).await.as_deref(),
                Ok(&text[..])
            );
            assert_eq!(
                inflated(encoding, &compress(&text), limit - 1).await,
                Err("batch_too_large")
            );
            let twice = [compress(b"a"), compress(b"b")].concat();
            assert_eq!(inflated(encoding, &twice, 2).await.as_deref(), Ok(&b"ab"[..]));
        }
    }

    #[tokio::test]
    async fn a_bomb_stops_at_the_limit() {
        let zeros = vec![0; 64 << 20];
        for (encoding, bomb) in [(Encoding::Gzip, gzip(&zeros)), (Encoding::Zstd, zstd(&zeros))] {
            assert!(bomb.len() < 1 << 20);
            assert_eq!(inflated(encoding, &bomb, 1 << 20).await, Err("batch_too_large"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_becomes_large_waits_for_its_turn_and_what_stays_small_for_nobody() {
        let budget = Budget::default();
        let every_turn = budget.every_turn().await;
        let (small, large) = (zstd(&[0; 1_000]), zstd(&vec![0; 2 * LARGE_BYTES]));
        let inflated = |body| {
            let inflating = inflate(Encoding::Zstd, body, 1 << 30, &budget);
            tokio::time::timeout(std::time::Duration::from_secs(60), inflating)
        };
        assert!(inflated(&small).await.is_ok_and(|body| body.is_ok()));
        assert!(inflated(&large).await.is_err(), "others have all turns");
        drop(every_turn);
        assert!(inflated(&large).await.is_ok_and(|body| body.is_ok()));
    }

    #[tokio::test]
    async fn damage_is_said() {
        for (encoding, mut body) in [(Encoding::Gzip, gzip(b"hello")), (Encoding::Zstd, zstd(b"hello"))] {
            body.pop();
            assert_eq!(inflated(encoding, &body, 100).await, Err("invalid_body"));
            assert_eq!(
                inflated(encoding, b"no such thing", 100).await,
                Err("invalid_body")
            );
        }
    }
}
