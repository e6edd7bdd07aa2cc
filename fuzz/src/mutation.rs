//! Reads choices out of fuzz bytes: how many, how large, which of them.

/// The bytes not used yet. When they are used up, every choice is zero and every text empty.
pub(crate) struct Choices<'a>(pub(crate) &'a [u8]);

impl<'a> Choices<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or_default()
    }

    pub(crate) fn short(&mut self) -> usize {
        usize::from(self.byte()) << 8 | usize::from(self.byte())
    }

    pub(crate) fn word(&mut self) -> u32 {
        u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    /// So many bytes, or what is left.
    pub(crate) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (some, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        some
    }

    /// A text that says its length first.
    pub(crate) fn text(&mut self) -> &'a [u8] {
        let count = usize::from(self.byte());
        self.bytes(count)
    }

    /// A place in something of this length.
    pub(crate) fn place(&mut self, length: usize) -> usize {
        self.short() % length.max(1)
    }
}

/// Damages some bytes in one of the ways disks and people do.
pub(crate) fn damage(bytes: &mut Vec<u8>, choices: &mut Choices<'_>) {
    let at = choices.byte();
    let place = choices.place(bytes.len());
    if bytes.is_empty() {
        return;
    }
    match at % 6 {
        0 => bytes[place] ^= 1 << (choices.byte() % 8),
        1 => bytes.truncate(place),
        2 => {
            let end = (place + choices.short()).min(bytes.len());
            bytes[place..end].fill(0);
        }
        3 => {
            let new = choices.text();
            let end = (place + new.len()).min(bytes.len());
            bytes[place..end].copy_from_slice(&new[..end - place]);
        }
        4 => {
            let end = (place + choices.short()).min(bytes.len());
            bytes.drain(place..end);
        }
        _ => {
            let end = (place + choices.short()).min(bytes.len());
            let again = bytes[place..end].to_vec();
            bytes.splice(place..place, again);
        }
    }
}
