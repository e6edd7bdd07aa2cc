//! Bytes from a client become messages: frames are unmasked where they lie, fragments are put together.
//!
//! Pure: it is fed by whoever reads the socket. A message that came in one frame is never copied.
use super::{
    close::{self, Fault},
    frame::{Header, Opcode, unmask},
};

/// First room for reading; an idle socket holds nothing.
const ROOM_MIN: usize = 4 << 10;
/// Room for one read at most.
const ROOM_MAX: usize = 64 << 10;

/// Room that is kept from one message to the next.
const KEPT_MAX: usize = 256 << 10;

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming<'a> {
    /// A whole text message.
    Text(&'a str),
    /// A whole binary message; only where they are taken.
    Binary(&'a [u8]),
    /// To be answered by a pong with the same bytes.
    Ping(&'a [u8]),
    /// The peer is alive.
    Pong,
    /// The peer ends the conversation, with this code.
    Close(u16),
}

/// Bytes that came in and are not messages yet.
#[derive(Debug)]
pub(crate) struct Inbox {
    buf: Vec<u8>,
    // Everything before it was handed out.
    start: usize,
    // Fragments of a message that is not whole yet; `None` outside of one.
    fragments: Option<Vec<u8>>,
    // Whether those are of a binary message.
    are_binary: bool,
    message_max: usize,
    takes_binary: bool,
}

impl Inbox {
    /// Takes messages of at most `message_max` bytes; `read` is what came behind the handshake.
    pub(crate) fn new(message_max: usize, read: &[u8]) -> Self {
        Self {
            buf: read.to_vec(),
            start: 0,
            fragments: None,
            are_binary: false,
            message_max,
            takes_binary: false,
        }
    }

    /// Takes binary messages, too.
    pub(crate) fn with_binary(mut self) -> Self {
        self.takes_binary = true;
        self
    }

    /// Takes messages of at most this size from now on.
    pub(crate) const fn limit(&mut self, message_max: usize) {
        self.message_max = message_max;
    }

    /// Whether no memory is held.
    pub(crate) const fn is_idle(&self) -> bool {
        self.buf.capacity() == 0
    }

    /// Gives the room of a large message back once it was handed out.
    pub(crate) fn settle(&mut self) {
        if self.start == self.buf.len() && self.buf.capacity() > KEPT_MAX {
            self.clear();
        }
    }

    /// Memory that is held beyond what every socket may hold, in bytes.
    pub(crate) fn excess(&self) -> usize {
        let fragments = self.fragments.as_ref().map_or(0, Vec::capacity);
        (self.buf.capacity() + fragments).saturating_sub(KEPT_MAX)
    }

    /// Bytes that were not handed out: of the message that is not whole yet, and of those behind it.
    pub(crate) fn unread(&self) -> usize {
        self.buf.len() - self.start + self.fragments.as_ref().map_or(0, Vec::len)
    }

    /// Room to read into; append what was read.
    pub(crate) fn room(&mut self) -> &mut Vec<u8> {
        if self.start == self.buf.len() {
            self.clear();
        }
        if self.buf.capacity() - self.buf.len() < ROOM_MIN {
            self.buf.drain(..self.start);
            self.start = 0;
            // Doubling, by what has arrived rather than by what a header claims will.
            let more = self.buf.len().clamp(ROOM_MIN, ROOM_MAX);
            self.buf.reserve(more);
        }
        &mut self.buf
    }

    // The room of a large message is not kept for small ones.
    fn clear(&mut self) {
        self.start = 0;
        if self.buf.capacity() > KEPT_MAX {
            self.buf = Vec::new();
        }
        self.buf.clear();
    }

    /// Gives memory back while nothing is in hand.
    pub(crate) fn shrink(&mut self) {
        if self.start == self.buf.len() {
            self.buf = Vec::new();
            self.start = 0;
        }
    }

    /// The next whole message; `None` if more bytes are needed.
    pub(crate) fn next(&mut self) -> Result<Option<Incoming<'_>>, Fault> {
        loop {
            let Some(header) = Header::parse(&self.buf[self.start..])? else {
                return Ok(None);
            };
            self.check(&header)?;
            let from = self.start + header.bytes;
            let Some(to) = usize::try_from(header.payload).ok().map(|size| from + size) else {
                return Err(Fault::TOO_LARGE);
            };
            if self.buf.len() < to {
                return Ok(None);
            }
            unmask(&mut self.buf[from..to], header.mask);
            self.start = to;
            match (header.opcode, header.is_final) {
                (Opcode::Ping, _) => return Ok(Some(Incoming::Ping(&self.buf[from..to]))),
                (Opcode::Pong, _) => return Ok(Some(Incoming::Pong)),
                (Opcode::Close, _) => {
                    return close::parse(&self.buf[from..to]).map(|code| Some(Incoming::Close(code)));
                }
                (Opcode::Text, true) => return text(&self.buf[from..to]).map(Some),
                (Opcode::Binary, true) => return Ok(Some(Incoming::Binary(&self.buf[from..to]))),
                (opcode, false) => {
                    self.are_binary |= opcode == Opcode::Binary;
                    let fragments = self.fragments.get_or_insert_default();
                    fragments.extend_from_slice(&self.buf[from..to]);
                }
                (_, true) => return self.last_fragment(from, to).map(Some),
            }
        }
    }

    fn check(&self, header: &Header) -> Result<(), Fault> {
        match (header.opcode, &self.fragments) {
            (Opcode::Binary, _) if !self.takes_binary => Err(Fault::BINARY),
            (Opcode::Text | Opcode::Binary, Some(_)) => {
                Err(Fault::protocol("a message began inside another one"))
            }
            (Opcode::Continuation, None) => Err(Fault::protocol("there is no message to continue")),
            (Opcode::Text | Opcode::Binary | Opcode::Continuation, fragments) => {
                let before = fragments.as_ref().map_or(0, Vec::len);
                let room = self.message_max.saturating_sub(before);
                if header.payload > room as u64 {
                    Err(Fault::TOO_LARGE)
                } else {
                    Ok(())
                }
            }
            _ => Ok(()),
        }
    }

    // The whole message takes the place of its last fragment, so that it lives as long as the buffer.
    fn last_fragment(&mut self, from: usize, to: usize) -> Result<Incoming<'_>, Fault> {
        let mut whole = self.fragments.take().unwrap_or_default();
        whole.extend_from_slice(&self.buf[from..to]);
        self.buf.splice(..to, whole.iter().copied());
        self.start = whole.len();
        let whole = &self.buf[..self.start];
        match std::mem::take(&mut self.are_binary) {
            true => Ok(Incoming::Binary(whole)),
            false => text(whole),
        }
    }
}

fn text(payload: &[u8]) -> Result<Incoming<'_>, Fault> {
    std::str::from_utf8(payload)
        .map(Incoming::Text)
        .map_err(|_| Fault::NOT_UTF8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::frame::masked as frame;
    use proptest::prelude::*;

    const MAX: usize = 1000;

    /// Everything the inbox hands out, as words, and how it ended.
    fn read_all(chunks: &[&[u8]]) -> (Vec<String>, Option<u16>) {
        let mut inbox = Inbox::new(MAX, b"");
        let mut seen = Vec::new();
        for chunk in chunks {
            inbox.room().extend_from_slice(chunk);
            loop {
                match inbox.next() {
                    Ok(Some(incoming)) => seen.push(format!("{incoming:?}")),
                    Ok(None) => break,
                    Err(fault) => return (seen, Some(fault.code)),
                }
            }
        }
        (seen, None)
    }

    fn fails_with(bytes: &[u8]) -> Option<u16> {
        read_all(&[bytes]).1
    }

    #[test]
    fn a_message_in_one_frame_is_handed_out_and_its_room_is_used_again() {
        let mut inbox = Inbox::new(MAX, &frame(0x81, b"hello", [1, 2, 3, 4]));
        assert_eq!(inbox.next(), Ok(Some(Incoming::Text("hello"))));
        assert_eq!(inbox.next(), Ok(None));
        assert!(inbox.room().is_empty());
        inbox.shrink();
        assert!(inbox.is_idle());
    }

    #[test]
    fn control_frames_come_through_between_fragments() {
        let bytes = [
            frame(0x01, b"hel", [9; 4]),
            frame(0x89, b"?", [8; 4]),
            frame(0x00, b"l", [7; 4]),
            frame(0x80, b"o", [6; 4]),
            frame(0x88, b"", [5; 4]),
        ]
        .concat();
        let (seen, end) = read_all(&[&bytes]);
        assert_eq!(seen, ["Ping([63])", "Text(\"hello\")", "Close(1000)"]);
        assert_eq!(end, None);
    }

    #[test]
    fn a_message_may_be_as_large_as_the_limit_and_not_a_byte_larger_also_in_fragments() {
        assert_eq!(fails_with(&frame(0x81, &[b'x'; MAX], [0; 4])), None);
        assert_eq!(fails_with(&frame(0x81, &[b'x'; MAX + 1], [0; 4])), Some(1009));
        let begin = frame(0x01, &[b'x'; MAX - 1], [0; 4]);
        assert_eq!(
            fails_with(&[begin.clone(), frame(0x80, b"x", [0; 4])].concat()),
            None
        );
        assert_eq!(
            fails_with(&[begin, frame(0x80, b"xx", [0; 4])].concat()),
            Some(1009)
        );
    }

    #[test]
    fn a_size_over_the_limit_is_refused_by_its_header_alone() {
        assert_eq!(
            fails_with(&[0x81, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
            Some(1009)
        );
    }

    #[test]
    fn text_that_is_no_utf8_is_refused_whole_and_in_fragments() {
        assert_eq!(fails_with(&frame(0x81, b"\xff", [0; 4])), Some(1007));
        let whole_across = [frame(0x01, b"\xc3", [0; 4]), frame(0x80, b"\xa9", [0; 4])].concat();
        assert_eq!(read_all(&[&whole_across]).0, ["Text(\"é\")"]);
        assert_eq!(
            fails_with(&[frame(0x01, b"\xc3", [0; 4]), frame(0x80, b"x", [0; 4])].concat()),
            Some(1007)
        );
    }

    #[test]
    fn messages_that_begin_or_continue_at_the_wrong_place_are_refused() {
        assert_eq!(fails_with(&frame(0x80, b"x", [0; 4])), Some(1002));
        assert_eq!(
            fails_with(&[frame(0x01, b"x", [0; 4]), frame(0x81, b"x", [0; 4])].concat()),
            Some(1002)
        );
        assert_eq!(fails_with(&frame(0x82, b"x", [0; 4])), Some(1003));
    }

    #[test]
    fn binary_messages_come_whole_where_they_are_taken() {
        let bytes = [
            frame(0x82, b"\xff\x00", [1; 4]),
            frame(0x02, b"\xfe", [2; 4]),
            frame(0x80, b"\xfd", [3; 4]),
            frame(0x81, b"text", [4; 4]),
        ]
        .concat();
        let mut inbox = Inbox::new(MAX, &bytes).with_binary();
        for expected in [b"\xff\x00", b"\xfe\xfd"] {
            assert_eq!(inbox.next(), Ok(Some(Incoming::Binary(expected))));
        }
        assert_eq!(inbox.next(), Ok(Some(Incoming::Text("text"))));
    }

    fn any_frames() -> impl Strategy<Value = Vec<u8>> {
        let message = (
            prop::collection::vec("[a-zé🙂]{0,40}", 1..4),
            any::<[u8; 4]>(),
            any::<bool>(),
        )
            .prop_map(|(parts, mask, ping)| {
                let mut out = Vec::new();
                for (index, part) in parts.iter().enumerate() {
                    let first = if index == 0 { 0x01 } else { 0x00 };
                    let last = if index + 1 == parts.len() { 0x80 } else { 0x00 };
                    out.extend(frame(first | last, part.as_bytes(), mask));
                    if ping {
                        out.extend(frame(0x89, b"p", mask));
                    }
                }
                out
            });
        prop::collection::vec(message, 0..6).prop_map(|messages| messages.concat())
    }

    proptest! {
        #[test]
        fn however_the_bytes_are_cut_the_messages_are_the_same(
            bytes in any_frames(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            prop_assert_eq!(read_all(&chunks), read_all(&[&bytes]));
        }

        #[test]
        fn no_bytes_make_it_panic(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..8)) {
            let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
            read_all(&chunks);
        }
    }
}
