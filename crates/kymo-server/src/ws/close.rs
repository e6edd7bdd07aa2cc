//! Why a WebSocket ends, in the numbers and words of RFC 6455, section 7.4.

/// An end that one side asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    /// Close code.
    pub(crate) code: u16,
    /// At most 123 bytes.
    pub(crate) reason: &'static str,
}

impl Fault {
    const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason }
    }

    /// The client broke the rules of framing.
    pub(crate) const fn protocol(reason: &'static str) -> Self {
        Self::new(1002, reason)
    }

    /// Binary messages mean nothing here.
    pub(crate) const BINARY: Self = Self::new(1003, "messages are JSON text");
    /// A text message, or the reason of a close, is not UTF-8.
    pub(crate) const NOT_UTF8: Self = Self::new(1007, "text is not UTF-8");
    /// A message is larger than it may be.
    pub(crate) const TOO_LARGE: Self = Self::new(1009, "the message is too large");
    /// Large messages of all sockets together take more memory than there is for them.
    pub(crate) const BUSY: Self = Self::new(1013, "too many large messages at once; try again in a moment");
    /// No valid token in time.
    pub(crate) const UNAUTHORIZED: Self = Self::new(1008, "unauthorized");
    /// What it asked for was refused, and it was told why.
    pub(crate) const REFUSED: Self = Self::new(1011, "refused; see the message before");
    /// The token was revoked.
    pub(crate) const REVOKED: Self = Self::new(1008, "the token was revoked");
    /// The client did not say in time what it is here for.
    pub(crate) const SILENT: Self = Self::new(1008, "no connect packet came in time");
    /// The server is shutting down.
    pub(crate) const CLOSING: Self = Self::new(1001, "closing");
    /// The answer to a client that asked for the end.
    pub(crate) const fn echo(code: u16) -> Self {
        Self::new(code, "")
    }
}

/// What a client's close frame says. An empty one is a normal end.
pub(crate) fn parse(payload: &[u8]) -> Result<u16, Fault> {
    let (code, reason) = match payload {
        [] => return Ok(1000),
        [a, b, reason @ ..] => (u16::from_be_bytes([*a, *b]), reason),
        [_] => return Err(Fault::protocol("a close frame has no code or two bytes of it")),
    };
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Fault::protocol("this close code may not be sent"));
    }
    std::str::from_utf8(reason).map_err(|_| Fault::NOT_UTF8)?;
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_codes_are_those_that_may_be_sent() {
        assert_eq!(parse(b""), Ok(1000));
        assert_eq!(parse(b"\x03\xe9bye"), Ok(1001));
        assert_eq!(parse(&4000_u16.to_be_bytes()), Ok(4000));
        for code in [0_u16, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
            assert_eq!(
                parse(&code.to_be_bytes()).map_err(|fault| fault.code),
                Err(1002),
                "{code}"
            );
        }
        assert_eq!(parse(b"\x03").map_err(|fault| fault.code), Err(1002));
        assert_eq!(parse(b"\x03\xe8\xff"), Err(Fault::NOT_UTF8));
    }
}
