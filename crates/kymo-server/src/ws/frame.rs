//! One WebSocket frame (RFC 6455, section 5): its header, read and written, and its mask.
use super::close::Fault;

/// Longest header a server writes.
pub(crate) const HEADER_MAX: usize = 10;
/// Longest payload of a control frame.
pub(crate) const CONTROL_MAX: usize = 125;

/// What a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    pub(crate) const fn is_control(self) -> bool {
        self.bits() >= 8
    }
}

/// The header of a frame from a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub(crate) is_final: bool,
    pub(crate) opcode: Opcode,
    pub(crate) mask: [u8; 4],
    /// Bytes of this header.
    pub(crate) bytes: usize,
    /// Bytes of the payload.
    pub(crate) payload: u64,
}

impl Header {
    /// Reads the header at the beginning of `buf`; `None` if more bytes are needed.
    pub(crate) fn parse(buf: &[u8]) -> Result<Option<Self>, Fault> {
        let &[first, second, ..] = buf else {
            return Ok(None);
        };
        let opcode = Opcode::from_bits(first & 0x0f).ok_or(Fault::protocol("unknown opcode"))?;
        let is_final = first & 0x80 != 0;
        if first & 0x70 != 0 {
            return Err(Fault::protocol(
                "reserved bits are set, and no extension was agreed on",
            ));
        }
        if second & 0x80 == 0 {
            return Err(Fault::protocol("frames of a client must be masked"));
        }
        let Some((payload, length_bytes)) = payload_length(second & 0x7f, &buf[2..])? else {
            return Ok(None);
        };
        if opcode.is_control() && (!is_final || payload > CONTROL_MAX as u64) {
            return Err(Fault::protocol(
                "a control frame is whole and has at most 125 bytes",
            ));
        }
        let at = 2 + length_bytes;
        let Some(mask) = buf.get(at..at + 4) else {
            return Ok(None);
        };
        Ok(Some(Self {
            is_final,
            opcode,
            mask: mask.try_into().expect("four bytes were taken above"),
            bytes: at + 4,
            payload,
        }))
    }
}

/// The payload's length and how many bytes beyond the second say it.
fn payload_length(short: u8, rest: &[u8]) -> Result<Option<(u64, usize)>, Fault> {
    let (length, bytes, least) = match short {
        126 => {
            let Some(bytes) = rest.first_chunk::<2>() else {
                return Ok(None);
            };
            (u64::from(u16::from_be_bytes(*bytes)), 2, 126)
        }
        127 => {
            let Some(bytes) = rest.first_chunk::<8>() else {
                return Ok(None);
            };
            (u64::from_be_bytes(*bytes), 8, 1 << 16)
        }
        short => (u64::from(short), 0, 0),
    };
    if length < least || length > i64::MAX as u64 {
        return Err(Fault::protocol("a length is not written in its shortest form"));
    }
    Ok(Some((length, bytes)))
}

/// Takes the mask off (or puts it on).
pub(crate) fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    // Eight bytes at a time: the compiler makes wide instructions of it.
    let wide = u64::from_ne_bytes([
        mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3],
    ]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// A frame as a client sends it; `first` is its first byte.
#[cfg(test)]
pub(crate) fn masked(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut out = Vec::new();
    write_header(Opcode::Text, payload.len(), &mut out);
    out[0] = first;
    out[1] |= 0x80;
    out.extend_from_slice(&mask);
    let at = out.len();
    out.extend_from_slice(payload);
    unmask(&mut out[at..], mask);
    out
}

/// Appends the header of a whole, unmasked frame.
pub(crate) fn write_header(opcode: Opcode, payload: usize, out: &mut Vec<u8>) {
    let (header, length) = header(opcode, payload);
    out.extend_from_slice(&header[..length]);
}

/// The header of a whole, unmasked frame, and how many of the bytes it takes.
fn header(opcode: Opcode, payload: usize) -> ([u8; HEADER_MAX], usize) {
    let mut header = [0; HEADER_MAX];
    header[0] = 0x80 | opcode.bits();
    let length = match (u8::try_from(payload), u16::try_from(payload)) {
        (Ok(short @ 0..=125), _) => {
            header[1] = short;
            2
        }
        (_, Ok(medium)) => {
            header[1] = 126;
            header[2..4].copy_from_slice(&medium.to_be_bytes());
            4
        }
        _ => {
            header[1] = 127;
            header[2..].copy_from_slice(&(payload as u64).to_be_bytes());
            HEADER_MAX
        }
    };
    (header, length)
}

/// Appends a text frame whose payload is written by `write`. A payload that is not a short one is moved.
pub(crate) fn build(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    const SHORT: usize = 2;
    let start = out.len();
    out.extend_from_slice(&[0; SHORT]);
    write(out);
    let (from, size) = (start + SHORT, out.len() - start - SHORT);
    let (header, length) = header(Opcode::Text, size);
    if length > SHORT {
        out.resize(start + length + size, 0);
        out.copy_within(from..from + size, start + length);
    }
    out[start..start + length].copy_from_slice(&header[..length]);
}

/// The first of frames that a server wrote, whole and unmasked: what it is, its payload, and the frames behind it.
pub(crate) fn split_own(frames: &[u8]) -> Option<(Opcode, &[u8], &[u8])> {
    let &[first, second, ref rest @ ..] = frames else {
        return None;
    };
    let (payload, length_bytes) = payload_length(second, rest).ok()??;
    let rest = rest.get(length_bytes..)?;
    let (payload, rest) = rest.split_at_checked(usize::try_from(payload).ok()?)?;
    Some((Opcode::from_bits(first & 0x0f)?, payload, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_of(payload: usize) -> Vec<u8> {
        let mut out = Vec::new();
        write_header(Opcode::Text, payload, &mut out);
        out
    }

    #[test]
    fn a_length_is_written_in_its_shortest_form() {
        assert_eq!(header_of(125), [0x81, 125]);
        assert_eq!(header_of(126), [0x81, 126, 0, 126]);
        assert_eq!(header_of(65_535), [0x81, 126, 0xff, 0xff]);
        assert_eq!(header_of(65_536), [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn a_built_frame_has_the_right_header_whatever_its_size() {
        for size in [0, 125, 126, 65_535, 65_536, 200_000] {
            let mut out = b"before".to_vec();
            build(&mut out, |out| out.resize(out.len() + size, b'x'));
            let expected = [b"before".to_vec(), header_of(size), vec![b'x'; size]].concat();
            assert!(out == expected, "{size} bytes");
        }
    }

    #[test]
    fn frames_of_our_own_are_taken_apart_as_they_were_put_together() {
        let sizes = [0, 125, 126, 65_535, 65_536];
        let mut frames = Vec::new();
        for size in sizes {
            build(&mut frames, |out| out.resize(out.len() + size, b'x'));
        }
        let mut rest = &*frames;
        for size in sizes {
            let (opcode, payload, behind) = split_own(rest).expect("a frame");
            assert_eq!((opcode, payload.len()), (Opcode::Text, size));
            rest = behind;
        }
        assert_eq!(split_own(rest), None);
        assert_eq!(
            split_own(&frames[..frames.len() - 1]).map(|frame| frame.0),
            Some(Opcode::Text)
        );
    }

    #[test]
    fn a_client_that_breaks_the_rules_is_refused() {
        let broken: &[(&[u8], &str)] = &[
            (&[0x81, 0x05], "masked"),
            (&[0xc1, 0x80], "reserved"),
            (&[0x83, 0x80], "opcode"),
            (&[0x09, 0x80], "control"),
            (&[0x89, 0xfe, 0, 126], "control"),
            (&[0x81, 0xfe, 0, 125], "shortest"),
            (&[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], "shortest"),
            (&[0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], "shortest"),
        ];
        for (bytes, reason) in broken {
            let fault = Header::parse(bytes).expect_err("a fault");
            assert!(fault.reason.contains(reason), "{bytes:02x?}: {}", fault.reason);
        }
    }

    #[test]
    fn a_mask_taken_off_twice_is_no_change() {
        for size in 0..40 {
            let original: Vec<u8> = (0..size).collect();
            let mut payload = original.clone();
            unmask(&mut payload, [1, 2, 3, 200]);
            let expected: Vec<u8> = original
                .iter()
                .zip([1, 2, 3, 200].iter().cycle())
                .map(|(a, b)| a ^ b)
                .collect();
            assert_eq!(payload, expected);
            unmask(&mut payload, [1, 2, 3, 200]);
            assert_eq!(payload, original);
        }
    }
}
