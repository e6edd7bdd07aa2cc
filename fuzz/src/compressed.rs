//! Compressed segments: what unpacks and is good is served, and neither a table nor a frame makes us hold more than it may.

use crate::{
    mutation::{Choices, damage},
    serving::{all_lines, empty, filters_agree, line, look, put, verified},
};

const LINES: u64 = 30;
const FRAME_LINES: u64 = 10;

/// The first byte says whether a plain segment follows; the rest is damage, or a file of its own.
pub(crate) fn run(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let how = choices.byte();
    let mut file = if how & 1 == 0 {
        seekable()
    } else {
        choices.bytes(usize::MAX).to_vec()
    };
    while !choices.is_empty() && file.len() < 64 << 10 {
        match choices.byte() % 3 {
            0 => damage(&mut file, &mut choices),
            1 => entry(&mut file, &mut choices),
            _ => bomb(&mut file, &mut choices),
        }
    }
    let disk = empty();
    put(&disk, "00000000000000000001.jsonl.zst", &file);
    if how & 2 == 0 {
        put(&disk, &format!("{:020}.jsonl", LINES + 1), &line(LINES + 1, 0, 0));
    }
    let ledger = look(&disk).expect("a damaged segment keeps nobody from reading");
    let lines = all_lines(&ledger);
    assert!(lines.len() as u64 <= LINES + 1);
    if bytes.len() < 2 && how & 1 == 0 {
        assert_eq!(lines.len() as u64, LINES + u64::from(how & 2 == 0));
    }
    filters_agree(&ledger, &lines);
    assert_eq!(verified(&ledger).events, lines.len() as u64);
}

/// Frames of some lines each, and the table that says where they are.
fn seekable() -> Vec<u8> {
    let (mut file, mut table) = (Vec::new(), Vec::new());
    for frame in 0..LINES / FRAME_LINES {
        let first = frame * FRAME_LINES + 1;
        let lines: Vec<u8> = (first..first + FRAME_LINES)
            .flat_map(|seq| line(seq, 0, 5))
            .collect();
        let packed = zstd::bulk::compress(&lines, 1).expect("memory");
        table.extend(number(packed.len()));
        table.extend(number(lines.len()));
        file.extend(packed);
    }
    file.extend(0x184D_2A5E_u32.to_le_bytes());
    file.extend(number(table.len() + 9));
    let frames = table.len() / 8;
    file.extend(table);
    file.extend(number(frames));
    file.push(0);
    file.extend(0x8F92_EAB1_u32.to_le_bytes());
    file
}

fn number(number: usize) -> [u8; 4] {
    u32::try_from(number).expect("small").to_le_bytes()
}

/// Overwrites a number near the end, where the table is.
fn entry(file: &mut [u8], choices: &mut Choices<'_>) {
    let from_end = 4 + usize::from(choices.byte()) * 4 % 64;
    let word = choices.word();
    // The footer is no multiple of four bytes.
    let at = file.len().saturating_sub(from_end + 5);
    if let Some(place) = file.get_mut(at..at + 4) {
        place.copy_from_slice(&word.to_le_bytes());
    }
}

/// Puts a frame in that unpacks to much more than it is.
fn bomb(file: &mut Vec<u8>, choices: &mut Choices<'_>) {
    let zeros = vec![0; choices.short() << 7];
    let packed = zstd::bulk::compress(&zeros, 1).expect("memory");
    let at = choices.place(file.len());
    file.splice(at..at, packed);
}
