//! Whether what was read of a file still stands there, without reading it again.

use std::{fs::File, io};

use xxhash_rust::xxh3::xxh3_64;

/// So much of the beginning, and of what stands right before a byte, is looked at.
const SPAN_BYTES: usize = 1 << 10;

/// Tells the content before a byte from any other by its beginning and by its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Proof {
    head: u64,
    seam: u64,
}

impl Proof {
    /// Of the content before a byte. Before byte 0 there is none, which is the same everywhere.
    fn of(file: &File, at: u64) -> io::Result<Self> {
        if at == 0 {
            return Ok(Self::default());
        }
        let span = span_before(at);
        Ok(Self {
            head: hash(file, 0, span)?,
            seam: match at - span as u64 {
                0 => 0,
                from => hash(file, from, span)?,
            },
        })
    }

    /// The same as it is when the content was read just now; if it is gone already the proof never holds.
    pub(super) fn take(file: &File, at: u64) -> Self {
        Self::of(file, at).unwrap_or(Self { head: 0, seam: 1 })
    }

    /// Whether the same content stands before this byte.
    pub(super) fn holds(&self, file: &File, at: u64) -> io::Result<bool> {
        unless_too_short(Self::of(file, at).map(|now| now == *self))
    }

    /// Whether this file begins like the content that was before this byte of another one.
    pub(super) fn begins(&self, file: &File, at: u64) -> io::Result<bool> {
        if at == 0 {
            return Ok(false);
        }
        unless_too_short(hash(file, 0, span_before(at)).map(|head| head == self.head))
    }
}

/// A file that ends sooner has other content.
fn unless_too_short(same: io::Result<bool>) -> io::Result<bool> {
    match same {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        same => same,
    }
}

fn span_before(at: u64) -> usize {
    usize::try_from(at).map_or(SPAN_BYTES, |at| at.min(SPAN_BYTES))
}

fn hash(file: &File, at: u64, len: usize) -> io::Result<u64> {
    let mut bytes = [0; SPAN_BYTES];
    let bytes = &mut bytes[..len];
    let mut filled = 0;
    while filled < bytes.len() {
        match read_at(file, &mut bytes[filled..], at + filled as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => filled += count,
        }
    }
    Ok(xxh3_64(bytes))
}

/// Reads where it is told, whoever else reads the same handle.
#[cfg(unix)]
pub(super) fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, bytes, at)
}

#[cfg(windows)]
pub(super) fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, bytes, at)
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use super::*;

    #[test]
    fn growth_keeps_a_proof_and_another_beginning_end_or_length_breaks_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let text: String = (0..2_000).map(|n| format!("{n}\n")).collect();
        let holds = |now: &str, at: u64| {
            fs::write(&path, &text).unwrap();
            let proof = Proof::take(&File::open(&path).unwrap(), at);
            fs::write(&path, now).unwrap();
            proof.holds(&File::open(&path).unwrap(), at).unwrap()
        };
        for at in [1, 7, 1_024, 5_000, text.len() as u64] {
            assert!(holds(&(text.clone() + "more"), at));
            assert!(!holds(&text.replacen('0', "x", 1), at));
            assert!(!holds(&text[..usize::try_from(at).unwrap() - 1], at));
        }
        assert!(!holds(&text.replace("1200", "12x0"), 5_200));
        assert!(holds("anything", 0));
    }

    #[test]
    fn a_proof_of_what_was_gone_already_never_holds() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"abc").unwrap();
        assert!(!Proof::take(&file, 9).holds(&file, 3).unwrap());
    }
}
