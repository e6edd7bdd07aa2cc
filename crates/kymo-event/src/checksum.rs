//! CRC-32C (Castagnoli): the checksum of every line, and of what the ledger keeps beside them.

/// The CRC-32C of some bytes.
#[inline]
#[must_use]
pub fn checksum(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bit by bit, as the polynomial says.
    fn by_hand(bytes: &[u8]) -> u32 {
        const REVERSED: u32 = 0x82f6_3b78;
        let crc = bytes.iter().fold(u32::MAX, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| {
                crc >> 1 ^ if crc & 1 == 1 { REVERSED } else { 0 }
            })
        });
        !crc
    }

    #[test]
    fn it_is_the_polynomials_at_every_length_and_wherever_the_bytes_lie() {
        assert_eq!(checksum(b"123456789"), 0xe306_9283);
        let bytes: Vec<u8> = (0..3_000_u32).map(|n| (n * n / 7).to_le_bytes()[0]).collect();
        for length in (0..1_300).chain([1_999, 2_048, 2_900]) {
            let from = length % 67;
            let piece = &bytes[from..from + length];
            assert_eq!(checksum(piece), by_hand(piece), "{length} bytes from {from}");
        }
    }
}
