//! The machine's clock was set back while the server was away: what it finds was recorded in the future.
//!
//! The same while it runs is shown where the clock is the test's own (`clock` and `reading` of kymo-ledger).

use std::{fs, path::PathBuf, time::SystemTime};

use serde_json::Value;

use crate::support::{Home, seqs};

fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(since.expect("after 1970").as_micros()).expect("long before the end of time")
}

fn recorded_us(event: &Value) -> i64 {
    let text = event["recorded"].as_str().expect("a time");
    let time: jiff::Timestamp = text.parse().expect("RFC 3339");
    time.as_microsecond()
}

/// A ledger of one segment whose newest event was recorded so far in the future.
fn recorded_ahead(home: &Home, micros: i64) -> i64 {
    let server = home.serve();
    assert_eq!(server.post("{\"type\":\"a\"}\n{\"type\":\"a\"}").0, 200);
    server.stop();
    let segment = the_segment(home);
    let text = fs::read_to_string(&segment).expect("a segment");
    let ahead = now_us() + micros;
    let time = jiff::Timestamp::from_microsecond(ahead).expect("a time");
    let (rest, last) = text.trim_end().rsplit_once('\n').expect("several lines");
    let old = serde_json::from_str::<Value>(last).expect("JSON")["recorded"].clone();
    let last = last.replace(old.as_str().expect("a time"), &format!("{time:.6}"));
    let body = &last[..last.rfind(",\"crc\"").expect("a checksum")];
    let crc = crc32c(body.as_bytes());
    fs::write(&segment, format!("{rest}\n{body},\"crc\":\"{crc:08x}\"}}\n")).expect("written");
    fs::remove_file(segment.with_extension("idx")).expect("the sidecar is made anew");
    ahead
}

/// CRC-32C, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    let shifted = |crc: u32| (crc >> 1) ^ (0x82f6_3b78 * (crc & 1));
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| shifted(crc))
    })
}

fn the_segment(home: &Home) -> PathBuf {
    let listed = fs::read_dir(home.data().join("ledger")).expect("listed");
    let mut paths = listed.flatten().map(|entry| entry.path());
    paths
        .find(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .expect("a segment")
}

#[test]
fn a_clock_that_was_set_back_by_an_hour_is_believed_and_told() {
    let home = Home::new();
    recorded_ahead(&home, 3_600_000_000);
    let server = home.serve();
    let before = now_us();
    assert_eq!(server.post("{\"type\":\"b\"}").0, 200);
    let stepped = server.wait_for_events("type:kymo.clock.stepped", 1);
    let back = stepped[0]["data"]["back_us"].as_i64().expect("microseconds");
    assert!((3_500_000_000..=3_600_000_000).contains(&back), "{back}");
    assert_eq!(stepped.len(), 1, "told once");
    let new = server.events("type:b");
    assert!((before..=now_us()).contains(&recorded_us(&new[0])), "{new:?}");
    let all = server.events("");
    assert_eq!(seqs(&all), (1..=all.len() as u64).collect::<Vec<_>>());
    server.stop();
    home.kymo(&["verify"]).good();
}

#[test]
fn a_clock_that_was_set_back_by_less_than_a_second_is_held_until_it_has_caught_up() {
    let home = Home::new();
    let ahead = recorded_ahead(&home, 990_000);
    let server = home.serve();
    let mut recorded = Vec::new();
    // Until the clock has passed the time that stands in the ledger.
    while recorded.len() < 2 || now_us() <= ahead {
        assert_eq!(server.post("{\"type\":\"b\"}").0, 200);
        recorded = server.events("").iter().map(recorded_us).collect();
        assert!(recorded.is_sorted(), "{recorded:?}");
    }
    assert_eq!(server.events("type:kymo.clock.stepped").len(), 0);
    server.stop();
    home.kymo(&["verify"]).good();
}
