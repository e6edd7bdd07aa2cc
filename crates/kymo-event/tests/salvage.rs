//! What is found in files of JSON lines that many programs wrote to, and what a fault in one costs.
use kymo_event::{Limits, salvage::Salvage};
use proptest::prelude::*;

/// What was found: each record, or `line: code` of what is none.
fn found(pieces: &[&[u8]], is_end: bool) -> Vec<String> {
    let mut salvage = Salvage::new(0, 1, limits());
    let mut all = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        salvage.room().extend_from_slice(piece);
        salvage.take(is_end && index + 1 == pieces.len(), &mut |found| {
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
    found(&[text.as_ref()], true)
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
        salvage.take(false, &mut |_| count += 1);
        most = most.max(salvage.room().len());
    }
    assert_eq!(count, 2, "one is too large, one is good");
    assert!(most < 3_000, "{most} bytes were held");
}

#[test]
fn what_may_still_grow_waits() {
    assert_eq!(
        found(&[A.as_bytes()], false),
        [A],
        "it is whole, whatever follows"
    );
    assert_eq!(found(&[&A.as_bytes()[..9]], false), [""; 0]);
    assert_eq!(found(&[b"{\n \"a\":"], false), [""; 0]);
    assert_eq!(found(&[b"hello"], false), [""; 0]);
}

#[test]
fn objects_printed_over_many_lines_may_follow_each_other_at_once() {
    let printed = "{\n  \"a\": 1,\n  \"b\": {\"c\": 2}\n}";
    assert_eq!(
        all_of(format!("{printed}{printed}{A}{printed}\n")),
        [printed, printed, A, printed]
    );
}

#[test]
fn zeros_and_marks_within_a_line_hide_nothing() {
    assert_eq!(
        all_of(format!("{{\"event\":\"a\",\"da\0\0\0{B}\n{A}")),
        ["1: invalid_json", B, A]
    );
    assert_eq!(all_of(format!("{A}\u{feff}{B}\n")), [A, B]);
    assert_eq!(
        all_of([A.as_bytes(), b"\xff", B.as_bytes()].concat()),
        [A, "1: invalid_json", B]
    );
    assert_eq!(all_of(format!("{{\"cut\":1\n\0\0{A}\n")), ["1: invalid_json", A]);
    assert_eq!(
        all_of(format!("{{\"event\":{A}\n\0\0{B}\n")),
        ["1: invalid_json", A, B]
    );
    assert_eq!(
        all_of(format!("7{A}\nnull {B}\n")),
        ["1: not_an_event", A, "2: not_an_event", B]
    );
    assert_eq!(
        all_of(format!("{{\n oops\n}}{A}\n{B}")),
        ["1: invalid_json", A, B]
    );
}

#[test]
fn the_elements_of_a_broken_list_are_no_records() {
    assert_eq!(
        all_of(r#"{"event":"a","list":[1 {"b":2},{"c":3}]}"#),
        ["1: invalid_json"]
    );
    assert_eq!(
        all_of(r#"{"event":"a","list":["lost,{"b":2},{"c":3}]}"#),
        ["1: invalid_json"]
    );
}

#[test]
fn what_a_line_holds_behind_a_large_record_or_many_is_found() {
    let many = A.repeat(500);
    assert_eq!(all_of(&many).len(), 500);
    assert_eq!(
        found(&many.as_bytes().chunks(7).collect::<Vec<_>>(), false).len(),
        500
    );
    let hole = format!("{}{A}\n", "\0".repeat(10_000));
    assert_eq!(found(&hole.as_bytes().chunks(999).collect::<Vec<_>>(), true), [A]);
}

#[test]
fn rubbish_costs_time_in_proportion_to_its_length() {
    // Each of these took hours where something was looked at again from the beginning.
    for unit in [
        "x\n",
        "x}{},",
        "{}",
        "{\"",
        "\"",
        "{",
        "{\"a\":",
        "{\"a\":1{\"b\":2}",
        "7{}{\"",
        "}{\"x",
    ] {
        let text = unit.repeat((4 << 20) / unit.len());
        let mut salvage = Salvage::new(0, 1, Limits::default());
        for piece in text.as_bytes().chunks(256 << 10) {
            salvage.room().extend_from_slice(piece);
            salvage.take(false, &mut |_| {});
        }
        salvage.take(true, &mut |_| {});
        assert_eq!(salvage.position().0, text.len() as u64, "{unit}");
    }
}

#[test]
fn the_position_is_where_reading_goes_on() {
    let text = format!("{A}\n\n{B}\n{}", &A[..5]);
    let mut salvage = Salvage::new(100, 7, limits());
    salvage.room().extend_from_slice(text.as_bytes());
    let mut places = Vec::new();
    salvage.take(false, &mut |found| places.push((found.at, found.line)));
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

/// What befell a file: bytes that many faults are made of, put in anywhere, and cuts.
fn faults() -> impl Strategy<Value = Vec<(usize, String)>> {
    let fault = prop::sample::select(vec![
        "",
        "{",
        "}",
        "\"",
        "\n",
        ",",
        "\0",
        "[",
        "]",
        "x",
        "{\n",
        "}{",
        "{\"a\":1}",
        "\u{feff}",
        "\\",
        "7",
    ]);
    prop::collection::vec((0..4_000_usize, fault.prop_map(str::to_owned)), 0..6)
}

fn damaged(text: &str, faults: &[(usize, String)]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for (place, fault) in faults {
        let at = place % (bytes.len() + 1);
        if fault.is_empty() {
            bytes.drain(at..bytes.len().min(at + place % 40));
        } else {
            bytes.splice(at..at, fault.bytes());
        }
    }
    bytes
}

fn small() -> Limits {
    Limits {
        event_bytes_max: 60,
        ..Limits::default()
    }
}

type Told = (u64, u64, Vec<u8>, Result<String, String>);

fn tell(salvage: &mut Salvage, piece: &[u8], is_end: bool, all: &mut Vec<Told>) {
    salvage.room().extend_from_slice(piece);
    salvage.take(is_end, &mut |found| {
        let record = found.record.map(|json| json.as_str().to_owned());
        let record = record.map_err(|refusal| refusal.code.to_owned());
        all.push((found.at, found.line, found.bytes.to_vec(), record));
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

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
        prop_assert_eq!(&found(&pieces, true), &records);
        prop_assert_eq!(&found(&pieces, false), &records);
    }

    #[test]
    fn damage_is_told_the_same_however_the_file_comes_in_and_wherever_reading_goes_on(
        records in prop::collection::vec(record(), 0..8),
        faults in faults(),
        cuts in prop::collection::vec(0..1_000_usize, 1..6),
        again in any::<bool>(),
    ) {
        let text = records.iter().map(|record| format!("{record}\n")).collect::<String>();
        let bytes = damaged(&text, &faults);
        // Nothing is too large here, so that all can be held until it is told.
        let mut whole = Vec::new();
        tell(&mut Salvage::new(0, 1, limits()), &bytes, true, &mut whole);
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut % (bytes.len() + 1)).collect();
        cuts.push(bytes.len());
        cuts.sort_unstable();
        let mut salvage = Salvage::new(0, 1, limits());
        let mut told = Vec::new();
        for (index, cut) in cuts.iter().enumerate() {
            let from = usize::try_from(salvage.end()).unwrap();
            tell(&mut salvage, &bytes[from..*cut], index + 1 == cuts.len(), &mut told);
            if again && index + 1 < cuts.len() {
                let (at, line) = salvage.position();
                salvage = Salvage::new(at, line, limits());
            }
        }
        prop_assert_eq!(told, whole);
    }

    #[test]
    fn every_byte_is_told_once_with_its_place_or_says_nothing(
        records in prop::collection::vec(record(), 0..8),
        faults in faults(),
        piece in 1..300_usize,
    ) {
        let text = records.iter().map(|record| format!("{record}\n")).collect::<String>();
        let bytes = damaged(&text, &faults);
        for limits in [limits(), small()] {
            let mut salvage = Salvage::new(0, 1, limits);
            let mut told = Vec::new();
            for piece in bytes.chunks(piece) {
                tell(&mut salvage, piece, false, &mut told);
            }
            tell(&mut salvage, b"", true, &mut told);
            prop_assert_eq!(salvage.position().0, bytes.len() as u64);
            let mut end = 0;
            let mut is_damage = false;
            for (at, line, head, record) in told {
                let at = usize::try_from(at).unwrap();
                prop_assert!(at >= end, "{} after {}", at, end);
                prop_assert!(bytes[at..].starts_with(&head));
                prop_assert_eq!(line, bytes[..at].iter().filter(|byte| **byte == b'\n').count() as u64 + 1);
                let says_nothing = |byte: &u8| b" \t\r\n\0,\xef\xbb\xbf".contains(byte);
                prop_assert!(is_damage || bytes[end..at].iter().all(says_nothing));
                is_damage = record.is_err();
                end = at + head.len();
            }
            prop_assert!(is_damage || bytes[end..].iter().all(|byte| b" \t\r\n\0,\xef\xbb\xbf".contains(byte)));
        }
    }
}
