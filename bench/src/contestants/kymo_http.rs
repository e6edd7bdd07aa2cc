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
    Call {
        bytes: posting(kymo, &format!("Content-Type: {content_type}\r\n"), body).into(),
        answers: 1,
    }
}

/// The bytes of a request that posts a body with these headers.
pub(super) fn posting(kymo: &Kymo, headers: &str, body: &[u8]) -> Vec<u8> {
    let (host, token, length) = (&kymo.address, &kymo.token, body.len());
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n{headers}Content-Length: {length}\r\n\r\n",
    );
    [head.as_bytes(), body].concat()
}

/// A connection for questions that are asked one after the other.
pub(crate) struct Questions<'a> {
    opening: Opening,
    kymo: &'a Kymo,
}

impl<'a> Questions<'a> {
    pub(super) fn open(kymo: &'a Kymo) -> Outcome<Self> {
        let opening = Opening::connect(&kymo.address)?;
        Ok(Self { opening, kymo })
    }

    /// The body of what is at this path; anything but 200 is an error.
    pub(crate) fn get(&mut self, path: &str) -> Outcome<Vec<u8>> {
        self.opening.send(question(self.kymo, path).as_bytes())?;
        let answer = self.opening.expect(whole)?;
        match answer.starts_with(OK) {
            true => Ok(answer),
            false => Err(String::from_utf8_lossy(&answer).into_owned().into()),
        }
    }
}

/// A stream of server-sent events, open and told what there is.
pub(super) fn listen(kymo: &Kymo) -> Outcome<Opening> {
    let mut opening = Opening::connect(&kymo.address)?;
    opening.send(question(kymo, "/api/v1/stream?filter=source:bench").as_bytes())?;
    let head = opening.expect(|come| Ok(memchr::memmem::find(come, b"\r\n\r\n").map(|at| at + 4)))?;
    match head.starts_with(OK) {
        true => Ok(opening),
        false => Err(String::from_utf8_lossy(&head).into_owned().into()),
    }
}

fn question(kymo: &Kymo, path: &str) -> String {
    let (host, token) = (&kymo.address, &kymo.token);
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n")
}

/// What a good answer begins with.
const OK: &[u8] = b"HTTP/1.1 200";

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

/// Bytes of the answer that begins here and accepts everything, once it is whole.
fn answer(bytes: &[u8]) -> Outcome<Option<usize>> {
    let Some(length) = whole(bytes)? else {
        return Ok(None);
    };
    let answer = &bytes[..length];
    let accepted = answer.starts_with(OK) && answer.ends_with(b"\"rejected\":[]}");
    if accepted {
        return Ok(Some(length));
    }
    Err(String::from_utf8_lossy(answer).into_owned().into())
}

/// Bytes of the answer that begins here, whatever it says, once it is whole.
pub(crate) fn whole(bytes: &[u8]) -> Outcome<Option<usize>> {
    let Some(head) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
        return Ok(None);
    };
    let length = content_length(&bytes[..head]).ok_or("an answer without a length")?;
    let whole = head + 4 + length;
    Ok((bytes.len() >= whole).then_some(whole))
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

    const ACCEPTED: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 28\r\n\r\n{\"accepted\":1,\"rejected\":[]}";

    fn read(bytes: &[u8]) -> Outcome<(usize, u64)> {
        let mut heard = Heard::default();
        let used = Answers.read(bytes, &mut heard, &mut Vec::new())?;
        Ok((used, heard.answers))
    }

    #[test]
    fn answers_are_counted_when_they_are_whole() {
        for cut in 0..ACCEPTED.len() {
            assert_eq!(read(&ACCEPTED[..cut]).unwrap(), (0, 0), "{cut}");
        }
        let two = [ACCEPTED, ACCEPTED, &ACCEPTED[..20]].concat();
        assert_eq!(read(&two).unwrap(), (2 * ACCEPTED.len(), 2));
    }

    #[test]
    fn an_answer_that_refuses_is_an_error() {
        let refused = String::from_utf8_lossy(ACCEPTED).replace("[]}", "[1}");
        assert!(read(refused.as_bytes()).is_err());
        let busy = String::from_utf8_lossy(ACCEPTED).replace("200", "429");
        assert!(read(busy.as_bytes()).unwrap_err().to_string().contains("429"));
    }
}
