//! HTTP/1.1 kept alive, as much of it as a client needs that only wants to know what was accepted.

use super::kymo::Kymo;
use crate::{
    Outcome,
    load::{Call, Heard, Link, Opening, Wire},
};

/// A connection that posts.
pub(super) fn connect(kymo: &Kymo) -> Outcome<Link> {
    Opening::connect(&kymo.address)?.link(Answers)
}

/// A request that posts events.
pub(super) fn post(kymo: &Kymo, content_type: &str, body: &[u8]) -> Call {
    let (host, token, length) = (&kymo.address, &kymo.token, body.len());
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n",
    );
    Call {
        bytes: [head.as_bytes(), body].concat().into(),
        answers: 1,
    }
}

/// Counts answers; any that refuses something is an error.
struct Answers;

impl Wire for Answers {
    fn read(&mut self, bytes: &[u8], heard: &mut Heard, _: &mut Vec<u8>) -> Outcome<usize> {
        let mut at = 0;
        while let Some(length) = answer(&bytes[at..])? {
            heard.answers += 1;
            at += length;
        }
        Ok(at)
    }
}

/// Bytes of the answer that begins here, once it is whole.
fn answer(bytes: &[u8]) -> Outcome<Option<usize>> {
    let Some(head) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
        return Ok(None);
    };
    let length = content_length(&bytes[..head]).ok_or("an answer without a length")?;
    let whole = head + 4 + length;
    let Some(body) = bytes.get(head + 4..whole) else {
        return Ok(None);
    };
    let accepted = bytes.starts_with(b"HTTP/1.1 200") && body.ends_with(b"\"rejected\":[]}");
    if accepted {
        return Ok(Some(whole));
    }
    Err(String::from_utf8_lossy(&bytes[..whole]).into_owned().into())
}

fn content_length(head: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"\r\ncontent-length:";
    let at = head
        .windows(NAME.len())
        .position(|window| window.eq_ignore_ascii_case(NAME))?;
    let value = head[at + NAME.len()..].split(|byte| *byte == b'\r').next()?;
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 28\r\n\r\n{\"accepted\":1,\"rejected\":[]}";

    fn read(bytes: &[u8]) -> Outcome<(usize, u64)> {
        let mut heard = Heard::default();
        let used = Answers.read(bytes, &mut heard, &mut Vec::new())?;
        Ok((used, heard.answers))
    }

    #[test]
    fn answers_are_counted_when_they_are_whole() {
        for cut in 0..OK.len() {
            assert_eq!(read(&OK[..cut]).unwrap(), (0, 0), "{cut}");
        }
        let two = [OK, OK, &OK[..20]].concat();
        assert_eq!(read(&two).unwrap(), (2 * OK.len(), 2));
    }

    #[test]
    fn an_answer_that_refuses_is_an_error() {
        let refused = String::from_utf8_lossy(OK).replace("[]}", "[1}");
        assert!(read(refused.as_bytes()).is_err());
        let busy = String::from_utf8_lossy(OK).replace("200", "429");
        assert!(read(busy.as_bytes()).unwrap_err().to_string().contains("429"));
    }
}
