//! The scanner against serde_json and against the public parsing suite.
use std::{fs, path::PathBuf};

use kymo_event::{
    Batch, Limits, LineView, Micros, RawJson, Record, RecordFormat, Records, Seq,
    dialects::{Dialect, Native},
    write_line,
};
use proptest::prelude::*;

/// The files of JSONTestSuite whose names begin with `prefix`; none (and a note) where they do not lie beside the checkout.
fn suite(prefix: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/fixtures/json/JSONTestSuite/test_parsing");
    let Ok(entries) = fs::read_dir(&folder) else {
        eprintln!("skipped: {} is not there", folder.display());
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let named = paths.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), path));
    let wanted = named.filter(|(name, _)| name.starts_with(prefix));
    let files: Vec<_> = wanted
        .map(|(name, path)| (name, fs::read(path).unwrap()))
        .collect();
    assert!(files.len() > 30, "the suite at {} is not whole", folder.display());
    files
}

fn with_data(data: &[u8]) -> Vec<u8> {
    [br#"{"type":"t","data":"#, data, b"}"].concat()
}

fn only(mut records: Records<'_>) -> Record<'_> {
    let record = records.next().expect("one record");
    assert!(records.next().is_none());
    record
}

/// Every token in order, which is all that must survive.
fn tokens(text: &str) -> String {
    let mut inside = false;
    let mut escaped = false;
    let keep = |character: &char| {
        if inside {
            inside = escaped || *character != '"';
            escaped = !escaped && *character == '\\';
            return true;
        }
        inside = *character == '"';
        !matches!(character, ' ' | '\n' | '\r' | '\t')
    };
    text.chars().filter(keep).collect()
}

#[test]
fn every_valid_text_comes_back_as_data_token_for_token() {
    for (name, text) in suite("y_") {
        let body = with_data(&text);
        let record = only(Records::new(&body, RecordFormat::Json, &Limits::default()).unwrap());
        let value = record.value.unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        let mut batch = Batch::default();
        batch.push(&Native.read(value, &Limits::default()).unwrap());
        let mut line = Vec::new();
        write_line(&mut line, Seq::FIRST, &Micros(0).text(), batch.body(0));
        line.pop();
        assert!(!line.contains(&b'\n') && !line.contains(&b'\r'), "{name}");
        let view = LineView::parse(&line).unwrap();
        let text = std::str::from_utf8(&text).unwrap();
        assert_eq!(tokens(view.data().unwrap()), tokens(text), "{name}");
        assert_eq!(view.to_event().data.as_deref(), view.data(), "{name}");
    }
}

#[test]
fn every_invalid_text_as_data_is_refused_at_a_byte() {
    for (name, text) in suite("n_") {
        let body = with_data(&text);
        for format in [RecordFormat::Json, RecordFormat::Lines] {
            let records = Records::new(&body, format, &Limits::default()).unwrap();
            let refused: Vec<_> = records.map(|record| record.value.err()).collect();
            let refusal = refused[0]
                .as_ref()
                .unwrap_or_else(|| panic!("{name} as {format:?} was taken"));
            assert!(
                matches!(refusal.code, "invalid_json" | "invalid_utf8"),
                "{name}: {refusal:?}"
            );
            assert!(
                refusal.byte.is_some_and(|byte| byte <= body.len()),
                "{name}: {refusal:?}"
            );
        }
    }
}

#[test]
fn every_valid_text_that_is_no_object_is_no_event() {
    for (name, text) in suite("y_") {
        let text = std::str::from_utf8(&text).unwrap();
        let value = RawJson::parse(text, 128).unwrap();
        if !value.as_str().starts_with('{') {
            assert_eq!(
                Native.read(value, &Limits::default()).unwrap_err().code,
                "not_an_event",
                "{name}"
            );
        }
    }
}

#[test]
fn faults_are_found_at_their_byte() {
    let faults = [
        ("", 0),
        ("{", 1),
        ("[1", 2),
        ("[1,]", 3),
        ("{\"a\"1}", 4),
        ("{\"a\":1,}", 7),
        ("\"a\nb\"", 2),
        ("\"\\x\"", 2),
        ("\"\\u12g4\"", 5),
        ("nul", 3),
        ("nulL", 3),
        ("01", 1),
        ("-", 1),
        ("1.", 2),
        ("1.e1", 2),
        ("1e+", 3),
        ("[1}", 2),
        ("1 2", 2),
        ("{a:1}", 1),
        ("\"abc", 4),
        ("'a'", 0),
        ("[\u{a0}1]", 1),
    ];
    for (text, byte) in faults {
        let refusal = RawJson::parse(text, 128).unwrap_err();
        assert_eq!(
            (refusal.code, refusal.byte),
            ("invalid_json", Some(byte)),
            "{text}"
        );
        assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text}");
    }
}

#[test]
fn nesting_is_counted_and_a_hundred_thousand_brackets_are_only_refused() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(RawJson::parse(&nested(128), 128).is_ok());
    assert_eq!(RawJson::parse(&nested(129), 128).unwrap_err().code, "too_deep");
    assert_eq!(
        RawJson::parse(&nested(100_000), 128).unwrap_err().code,
        "too_deep"
    );
    assert!(RawJson::parse(&nested(100_000), 100_000).is_ok());
    let mixed = format!("{}1{}", "{\"a\":[".repeat(100), "]}".repeat(100));
    assert!(RawJson::parse(&mixed, 200).is_ok());
    assert!(RawJson::parse(&mixed.replacen("]}", "}]", 1), 200).is_err());
    assert_eq!(
        RawJson::parse(&"[".repeat(100_000), 128).unwrap_err().byte,
        Some(100_000)
    );
}

#[test]
fn strings_of_every_length_are_scanned_to_their_end() {
    for length in 0..200 {
        for (inside, good) in [
            ("\"", true),
            ("\\\"\"", true),
            ("\u{1}\"", false),
            ("\\", false),
            ("", false),
        ] {
            for filler in ["a", "é", "\u{7f}"] {
                let text = format!("\"{}{inside}", filler.repeat(length));
                assert_eq!(RawJson::parse(&text, 1).is_ok(), good, "{text}");
            }
        }
    }
}

#[test]
fn an_object_of_any_number_and_size_of_members_is_walked_whole() {
    for count in 0..30 {
        for length in [0, 1, 63, 64, 1000, 3_000, 40_000] {
            let members: Vec<_> = (0..count)
                .map(|index| {
                    (
                        format!("k\u{e9}{index}"),
                        format!("\"{}\\n\"", "x".repeat(length * (index % 3))),
                    )
                })
                .collect();
            let inside: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("\"{name}\" :\n{value}"))
                .collect();
            let text = format!("  {{ {} }} ", inside.join(" , "));
            let object = RawJson::parse(&text, 2).unwrap();
            let walked = object.members().unwrap().map(|member| {
                assert_eq!(member.text(), member.value().as_string());
                (
                    member.name().unwrap().into_owned(),
                    member.value().as_str().to_string(),
                )
            });
            assert_eq!(walked.collect::<Vec<_>>(), members);
            assert!(members.iter().all(|(name, _)| object.may_have(name)));
            let again = RawJson::trusted(object.as_str()).members().unwrap().count();
            assert_eq!(again, count);
        }
    }
}

#[test]
fn a_name_that_is_not_there_is_mostly_known_not_to_be() {
    let object = RawJson::parse(r#"{"type":"a","source":"b","data":{"specversion":1}}"#, 9).unwrap();
    assert!(object.may_have("type") && !object.may_have("specversion"));
    assert_eq!(
        object.get("data").unwrap().get("specversion").unwrap().as_str(),
        "1"
    );
    assert_eq!(object.get("nothing"), None);
    let escaped = RawJson::parse(r#"{"spec\u0076ersion":"1.0"}"#, 9).unwrap();
    assert!(escaped.may_have("specversion") && escaped.get("specversion").is_some());
}

/// Texts near JSON: tokens in any order, some of them broken.
fn nearly_json() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        proptest::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            "\"a\"",
            "\"\\n\\u00e9\"",
            "\"\\ud800\"",
            "\"",
            "\\",
            "true",
            "false",
            "null",
            "nul",
            "0",
            "-1.5e+3",
            "01",
            ".5",
            "1.",
            " ",
            "\n",
            "\t",
            "\u{b}",
            "é",
            "\"é\u{7f}\"",
            "{\"a\":1}",
            "[1,2]",
            "\"\u{1}\"",
        ])
        .prop_map(str::to_string),
        any::<char>().prop_map(|character| character.to_string()),
    ];
    proptest::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat())
}

fn tree() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".{0,80}".prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            proptest::collection::vec((".{0,10}", inner), 0..5)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_serde_takes_we_take_and_nothing_else(text in nearly_json()) {
        let oracle = serde_json::from_str::<&serde_json::value::RawValue>(&text);
        prop_assert_eq!(RawJson::parse(&text, 1000).is_ok(), oracle.is_ok());
    }

    #[test]
    fn a_tree_is_walked_to_the_same_tree(tree in tree(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&tree).unwrap() } else { tree.to_string() };
        // By way of its text, since serde_json reads some floats one bit off.
        let tree: serde_json::Value = serde_json::from_str(&text).unwrap();
        let value = RawJson::parse(&text, 1000).unwrap();
        prop_assert_eq!(value.as_str(), text.as_str());
        prop_assert_eq!(rebuilt(value), tree.clone());
        let line = kymo_event::json::one_line(&text);
        prop_assert!(!line.contains(['\n', '\r']));
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), tree);
    }

    #[test]
    fn a_good_text_with_one_byte_changed_is_judged_as_serde_judges_it(tree in tree(), at in any::<prop::sample::Index>(), byte in 0_u8..128) {
        let mut bytes = tree.to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(text) = std::str::from_utf8(&bytes) {
            let oracle = serde_json::from_str::<&serde_json::value::RawValue>(text);
            prop_assert_eq!(RawJson::parse(text, 1000).is_ok(), oracle.is_ok());
        }
    }

    #[test]
    fn text_is_quoted_as_serde_reads_it(text in any::<String>()) {
        let token = kymo_event::json::string_token(&text);
        prop_assert_eq!(serde_json::from_str::<String>(&token).unwrap(), text.clone());
        prop_assert_eq!(RawJson::parse(&token, 1).unwrap().as_string().unwrap(), text);
    }

    #[test]
    fn strings_are_decoded_as_serde_decodes_them(units in proptest::collection::vec(any::<u16>(), 0..6), plain in "[a-z\"\\\\/\u{8}\u{c}\n\r\t]{0,6}") {
        let escapes: String = units.iter().map(|unit| format!("\\u{unit:04X}")).collect();
        let token = format!("{}{escapes}\"", serde_json::to_string(&plain).unwrap().strip_suffix('"').unwrap());
        let ours = RawJson::parse(&token, 1).unwrap().as_string().map(|text| text.into_owned());
        prop_assert_eq!(ours, serde_json::from_str::<String>(&token).ok());
    }
}

fn rebuilt(value: RawJson<'_>) -> serde_json::Value {
    if let Some(members) = value.members() {
        return serde_json::Value::Object(
            members
                .map(|member| (member.name().unwrap().into_owned(), rebuilt(member.value())))
                .collect(),
        );
    }
    if let Some(elements) = value.elements() {
        return elements.map(rebuilt).collect();
    }
    serde_json::from_str(value.as_str()).unwrap()
}
