//! What is found in files of JSON lines that many programs wrote to, and what a fault in one costs.
use kymo_event::{
    Limits,
    salvage::{Follows, Salvage},
};
use proptest::prelude::*;

/// What was found: each record, or `line: code` of what is none.
fn found(pieces: &[&[u8]], last: Follows) -> Vec<String> {
    let mut salvage = Salvage::new(0, 1, limits());
    let mut all = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        salvage.room().extend_from_slice(piece);
        let follows = if index + 1 == pieces.len() {
            last
        } else {
            Follows::More
        };
        salvage.take(follows, &mut |found| {
            all.push(match found.record {
                Ok(record) => record.as_str().to_owned(),
                Err(refusal) => format!("{}: {}", found.line, refusal.code),
            });
        });
    }
    all
}

fn limits() -> Limits {
    Limits {
        event_bytes_max: 2_000,
        ..Limits::default()
    }
}

fn all_of(text: impl AsRef<[u8]>) -> Vec<String> {
    found(&[text.as_ref()], Follows::Nothing)
}

const A: &str = r#"{"event":"a","n":1}"#;
const B: &str = r#"{"event":"b","data":{"x":[1,2,{"y":"}{"}]}}"#;

#[test]
fn clean_lines_are_records_however_they_end() {
    for end in ["\n", "\r\n", "\n\n", " \n", "\n\0\0\n"] {
        assert_eq!(all_of(format!("{A}{end}{B}{end}{A}")), [A, B, A], "{end:?}");
    }
    assert_eq!(all_of(format!("\u{feff}{A}\n")), [A]);
    assert_eq!(all_of(format!("\0\0\0{A}\n\u{feff}{B}")), [A, B]);
    assert_eq!(all_of(""), [""; 0]);
}

#[test]
fn records_that_share_a_line_are_all_there() {
    assert_eq!(all_of(format!("{A}{B}\n")), [A, B]);
    assert_eq!(all_of(format!("{A} {B}\0{A},\n{B}\n")), [A, B, A, B]);
}

#[test]
fn a_record_that_was_cut_short_costs_itself_where_the_next_begins_on_its_line() {
    assert_eq!(all_of(r#"{"a":1{"b":2}"#), ["1: invalid_json", r#"{"b":2}"#]);
    // Wherever it is cut.
    for cut in 1..B.len() {
        let text = format!("{A}\n{}{A}\n{B}\n", &B[..cut]);
        assert_eq!(all_of(&text), [A, "2: invalid_json", A, B], "{text}");
    }
}

#[test]
fn a_record_that_was_cut_short_costs_itself_where_its_line_ends() {
    for cut in 1..B.len() {
        let text = format!("{A}\n{}\n{A}\n{B}\n", &B[..cut]);
        assert_eq!(all_of(&text), [A, "2: invalid_json", A, B], "{text}");
    }
}

#[test]
fn an_object_inside_a_damaged_record_is_no_record() {
    assert_eq!(
        all_of(r#"{"event":"a","data":{"b":2},"text":"lost quote}"#),
        ["1: invalid_json"]
    );
    assert_eq!(
        all_of(r#"{"event":"a",oops,"data":{"b":2}}"#),
        ["1: invalid_json"]
    );
    assert_eq!(
        all_of(format!(r#"{{"event":"a","x":"lost, "data":{{"b":2}}}}{A}"#)),
        ["1: invalid_json", A]
    );
}

#[test]
fn an_object_printed_over_many_lines_is_one_record_between_those_of_one_line() {
    let printed = "{\n  \"event\": \"p\",\n  \"list\": [\n    {\n      \"deep\": \"}\"\n    }\n  ]\n}";
    assert_eq!(all_of(format!("{A}\n{printed}\n{B}\n")), [A, printed, B]);
    assert_eq!(all_of(format!("{A}\n{printed}{B}\n{A}")), [A, printed, B, A]);
    assert_eq!(all_of(printed), [printed]);
}

#[test]
fn a_printed_object_that_breaks_off_costs_itself_and_is_one_report() {
    let broken = "{\n  \"event\": \"p\",\n  \"list\": [\n    1,\n";
    assert_eq!(
        all_of(format!("{A}\n{broken}{B}\n{A}")),
        [A, "2: invalid_json", B, A]
    );
    assert_eq!(all_of(format!("{A}\n{broken}")), [A, "2: invalid_json"]);
    let quote = "{\n  \"event\": \"p,\n  \"list\": 1\n}\n";
    assert_eq!(all_of(format!("{A}\n{quote}{B}")), [A, "2: invalid_json", B]);
}

#[test]
fn what_is_no_json_is_named_with_its_line() {
    assert_eq!(
        all_of(format!("hello\n{A}\n[1,2]\n7\n\"text\"\n{B}")),
        [
            "1: invalid_json",
            A,
            "3: not_an_event",
            "4: not_an_event",
            "5: not_an_event",
            B
        ]
    );
    let bytes = [b"{\"a\":\"\xff\"}\n".as_slice(), A.as_bytes()].concat();
    assert_eq!(all_of(bytes), ["1: invalid_utf8", A]);
}

#[test]
fn what_is_too_large_is_passed_over_without_being_held() {
    let large = format!("{{\"event\":\"{}\"}}", "x".repeat(5_000));
    assert_eq!(
        all_of(format!("{A}\n{large}\n{B}\n")),
        [A, "2: event_too_large", B]
    );
    // In pieces, of which none is the whole.
    let mut salvage = Salvage::new(0, 1, limits());
    let (mut count, mut most) = (0, 0);
    let text = format!("{large}{large}{large}\n{A}\n");
    for piece in text.as_bytes().chunks(700) {
        salvage.room().extend_from_slice(piece);
        salvage.take(Follows::More, &mut |_| count += 1);
        most = most.max(salvage.room().len());
    }
    assert_eq!(count, 2, "one is too large, one is good");
    assert!(most < 3_000, "{most} bytes were held");
}

#[test]
fn what_may_still_grow_waits() {
    assert_eq!(found(&[A.as_bytes()], Follows::More), [""; 0]);
    assert_eq!(found(&[A.as_bytes()], Follows::Perhaps), [A]);
    assert_eq!(found(&[&A.as_bytes()[..9]], Follows::Perhaps), [""; 0]);
    assert_eq!(found(&[b"{\n \"a\": 1\n}"], Follows::More), [""; 0]);
    assert_eq!(
        found(&[b"{\n \"a\": 1\n}"], Follows::Perhaps),
        ["{\n \"a\": 1\n}"]
    );
    assert_eq!(found(&[b"{\n \"a\":"], Follows::Perhaps), [""; 0]);
}

#[test]
fn the_position_is_where_reading_goes_on() {
    let text = format!("{A}\n\n{B}\n{}", &A[..5]);
    let mut salvage = Salvage::new(100, 7, limits());
    salvage.room().extend_from_slice(text.as_bytes());
    let mut places = Vec::new();
    salvage.take(Follows::More, &mut |found| places.push((found.at, found.line)));
    let second = 100 + A.len() as u64 + 2;
    assert_eq!(places, [(100, 7), (second, 9)]);
    assert_eq!(salvage.position(), (second + B.len() as u64 + 1, 10));
    assert_eq!(salvage.end(), 100 + text.len() as u64);
}

/// Records as a program writes them, printed over lines now and then.
fn record() -> impl Strategy<Value = String> {
    let value = "[a-z {}\\[\\]:,\"\\\\\u{e4}]{0,12}";
    (value, 0..1_000_u32, any::<bool>(), 0..8_u8).prop_map(|(text, number, nested, printed)| {
        let data = if nested {
            serde_json::json!({ "text": text, "list": [number, { "event": number }] })
        } else {
            serde_json::json!(text)
        };
        let value = serde_json::json!({ "event": number, "z": data });
        if printed == 0 {
            serde_json::to_string_pretty(&value).expect("it is JSON")
        } else {
            value.to_string()
        }
    })
}

proptest! {
    #[test]
    fn it_finds_the_same_however_the_file_comes_in(
        records in prop::collection::vec(record(), 0..12),
        cuts in prop::collection::vec(0..2_000_usize, 0..12),
    ) {
        let text = records.iter().map(|record| format!("{record}\n")).collect::<String>();
        prop_assert_eq!(&all_of(&text), &records);
        let mut cuts: Vec<_> = cuts.into_iter().filter(|cut| *cut <= text.len()).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|cut| &text.as_bytes()[cut[0]..cut[1]]).collect();
        prop_assert_eq!(&found(&pieces, Follows::Nothing), &records);
        let mut pieces = pieces;
        pieces.push(b"");
        prop_assert_eq!(&found(&pieces, Follows::More), &records);
    }

    #[test]
    fn any_bytes_are_told_in_order_and_nothing_is_told_twice(
        bytes in prop::collection::vec(prop::sample::select(b"{}[]\",:a1\\ \n\0\xef\xbb\xbf\xff".to_vec()), 0..200),
        cut in 0..200_usize,
    ) {
        let mut salvage = Salvage::new(0, 1, limits());
        let mut end = 0;
        let mut check = |at: u64, line: u64, length: usize| {
            let lines = bytes[..usize::try_from(at).unwrap()].iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(line, lines as u64 + 1);
            assert!(at >= end, "{at} after {end}");
            end = at + length as u64;
        };
        for piece in [&bytes[..cut.min(bytes.len())], &bytes[cut.min(bytes.len())..]] {
            salvage.room().extend_from_slice(piece);
            salvage.take(Follows::More, &mut |found| check(found.at, found.line, found.bytes.len()));
        }
        salvage.take(Follows::Nothing, &mut |found| check(found.at, found.line, found.bytes.len()));
        prop_assert_eq!(salvage.position().0, bytes.len() as u64);
    }
}
