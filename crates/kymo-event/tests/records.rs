//! Bodies cut into records.
use kymo_event::{Limits, RecordFormat, Records, Refusal};

/// The text of a record, or the code and byte of its refusal.
type Outcome = Result<String, (&'static str, usize)>;

/// What came of a body: each record's text, or the code and byte of its refusal.
fn outcomes(body: &[u8], format: RecordFormat) -> Vec<Outcome> {
    with_limits(body, format, &Limits::default()).unwrap()
}

fn with_limits(body: &[u8], format: RecordFormat, limits: &Limits) -> Result<Vec<Outcome>, Refusal> {
    let records = Records::new(body, format, limits)?;
    let outcome = |(position, record): (usize, kymo_event::Record<'_>)| {
        assert_eq!(record.index, position);
        match record.value {
            Ok(value) => {
                assert!(body[record.byte..].starts_with(value.as_str().as_bytes()));
                Ok(value.as_str().to_string())
            }
            Err(refusal) => Err((
                refusal.code,
                refusal.byte.expect("every refusal of a record has a place"),
            )),
        }
    };
    Ok(records.enumerate().map(outcome).collect())
}

fn ok(text: &str) -> Outcome {
    Ok(text.to_string())
}

#[test]
fn one_value_an_array_and_lines_are_told_apart() {
    assert_eq!(outcomes(br#" {"a":1} "#, RecordFormat::Json), [ok(r#"{"a":1}"#)]);
    assert_eq!(
        outcomes(b"{\n\"a\":\n1}\n", RecordFormat::Json),
        [ok("{\n\"a\":\n1}")]
    );
    assert_eq!(
        outcomes(br#"[{"a":1} , 2,[]]"#, RecordFormat::Json),
        [ok(r#"{"a":1}"#), ok("2"), ok("[]")]
    );
    assert_eq!(
        outcomes(b"{\"a\":1}\n{\"b\":2}", RecordFormat::Json),
        [ok(r#"{"a":1}"#), ok(r#"{"b":2}"#)]
    );
    assert_eq!(outcomes(b"[]", RecordFormat::Json), []);
    assert_eq!(outcomes(b"[ ]\n", RecordFormat::Json), []);
}

#[test]
fn a_byte_order_mark_and_foreign_line_ends_cost_nothing() {
    for body in [
        "{\"a\":1}\r\n{\"b\":2}\r\n",
        "\u{feff}{\"a\":1}\n\n  \r\n{\"b\":2}",
        "\n\n{\"a\":1}\n\t{\"b\":2} \n",
    ] {
        for format in [RecordFormat::Json, RecordFormat::Lines] {
            assert_eq!(
                outcomes(body.as_bytes(), format),
                [ok(r#"{"a":1}"#), ok(r#"{"b":2}"#)],
                "{body:?}"
            );
        }
    }
    assert_eq!(outcomes("\u{feff} [1]".as_bytes(), RecordFormat::Json), [ok("1")]);
    assert_eq!(
        outcomes("1\n\u{feff}2".as_bytes(), RecordFormat::Lines),
        [ok("1"), Err(("invalid_json", 2))]
    );
}

#[test]
fn blank_lines_count_as_lines_but_not_as_records() {
    let body = b"\n{\"a\":1}\n\n\r\n{\"b\"}\n{\"c\":3}";
    let records = Records::new(body, RecordFormat::Lines, &Limits::default()).unwrap();
    let places: Vec<_> = records
        .map(|record| (record.index, record.line, record.byte, record.value.is_ok()))
        .collect();
    assert_eq!(places, [(0, 2, 1, true), (1, 5, 12, false), (2, 6, 18, true)]);
}

#[test]
fn a_broken_line_costs_itself_alone() {
    let body = b"{\"a\":1}\n{\"a\":1{\"b\":2}\n{\"c\":\"\xff\"}\n{\"d\":4} x\n\0{\"e\":5}\n{\"f\":6}";
    let found = outcomes(body, RecordFormat::Lines);
    let expected = [
        ok(r#"{"a":1}"#),
        Err(("invalid_json", 14)),
        Err(("invalid_utf8", 28)),
        Err(("invalid_json", 40)),
        Err(("invalid_json", 42)),
        ok(r#"{"f":6}"#),
    ];
    assert_eq!(found, expected);
    assert_eq!(outcomes(body, RecordFormat::Json), expected);
}

#[test]
fn a_broken_first_line_does_not_hide_that_there_are_lines() {
    let good = ok(r#"{"b":2}"#);
    for first in [r#"{"a":1"#, r#"{"a":"x"#, r#"{"a":1,"#, "{a}"] {
        let body = format!("{first}\n{{\"b\":2}}\n");
        let found = outcomes(body.as_bytes(), RecordFormat::Json);
        assert!(found[0].is_err(), "{first}");
        assert_eq!(found[1..], *std::slice::from_ref(&good), "{first}");
    }
}

#[test]
fn a_fault_in_a_document_of_many_lines_does_not_make_events_of_its_parts() {
    let body = b"{\"list\":[\n{\"type\":\"a\"}\n{\"type\":\"b\"}\n]}";
    assert_eq!(outcomes(body, RecordFormat::Json), [Err(("invalid_json", 23))]);
}

#[test]
fn a_syntax_error_costs_the_whole_array() {
    assert_eq!(
        outcomes(br#"[{"a":1},{"b":2},{]"#, RecordFormat::Json),
        [Err(("invalid_json", 18))]
    );
    assert_eq!(
        outcomes(br#"[{"a":1},"#, RecordFormat::Json),
        [Err(("invalid_json", 9))]
    );
    assert_eq!(
        outcomes(br#"[{"a":1},]"#, RecordFormat::Json),
        [Err(("invalid_json", 9))]
    );
    assert_eq!(
        outcomes(br#"[{"a":1} {"b":2}]"#, RecordFormat::Json),
        [Err(("invalid_json", 9))]
    );
    assert_eq!(
        outcomes(br#"[{"a":1}] x"#, RecordFormat::Json),
        [Err(("invalid_json", 10))]
    );
    assert_eq!(
        outcomes(b"[{\"a\":1},\"\xff\"]", RecordFormat::Json),
        [Err(("invalid_utf8", 10))]
    );
}

#[test]
fn an_empty_body_says_so() {
    for body in ["", " \r\n\t", "\u{feff}", "\u{feff}\n"] {
        for format in [RecordFormat::Json, RecordFormat::Lines] {
            let refusal = with_limits(body.as_bytes(), format, &Limits::default()).unwrap_err();
            assert_eq!(refusal.code, "empty_body", "{body:?}");
        }
    }
}

#[test]
fn sizes_are_judged_to_the_byte() {
    let limits = Limits {
        event_bytes_max: 10,
        batch_bytes_max: 40,
        ..Limits::default()
    };
    let (at, over) = ("\"12345678\"", "\"123456789\"");
    let judge = |body: &str, format| with_limits(body.as_bytes(), format, &limits);
    assert_eq!(judge(at, RecordFormat::Json).unwrap(), [ok(at)]);
    assert_eq!(
        judge(over, RecordFormat::Json).unwrap(),
        [Err(("event_too_large", 0))]
    );
    let lines = format!("{at}  \n{over}\n{at}");
    for format in [RecordFormat::Json, RecordFormat::Lines] {
        assert_eq!(
            judge(&lines, format).unwrap(),
            [ok(at), Err(("event_too_large", 13)), ok(at)]
        );
    }
    let array = format!("[{at},{over},{at}]");
    assert_eq!(
        judge(&array, RecordFormat::Json).unwrap(),
        [ok(at), Err(("event_too_large", 12)), ok(at)]
    );
    let full = format!("{at:40}");
    assert_eq!(judge(&full, RecordFormat::Json).unwrap(), [ok(at)]);
    assert_eq!(
        judge(&format!("{full} "), RecordFormat::Json).unwrap_err().code,
        "batch_too_large"
    );
}

#[test]
fn depth_counts_from_the_event_and_costs_one_element() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let array = format!("[{},{},1]", nested(129), nested(128));
    let found = outcomes(array.as_bytes(), RecordFormat::Json);
    assert_eq!(found, [Err(("too_deep", 1)), ok(&nested(128)), ok("1")]);
    let lines = format!("{}\n{}\n1", nested(100_000), nested(128));
    let found = outcomes(lines.as_bytes(), RecordFormat::Lines);
    assert_eq!(found, [Err(("too_deep", 0)), ok(&nested(128)), ok("1")]);
}

proptest::proptest! {
    #[test]
    fn no_body_makes_the_cutter_panic_or_run_on(body in proptest::collection::vec(proptest::sample::select(b"{}[]\":,\n\r 1a\\\xff\xef\xbb\xbf".to_vec()), 0..60)) {
        for format in [RecordFormat::Json, RecordFormat::Lines] {
            if let Ok(records) = Records::new(&body, format, &Limits::default()) {
                proptest::prop_assert!(records.count() <= body.len());
            }
        }
    }
}

#[test]
fn of_countless_values_each_is_handed_out_at_its_place() {
    let values: Vec<String> = (0..10_000).map(|number| format!("{{\"n\": {number}}}")).collect();
    let body = format!("[ {} ]", values.join(" , "));
    let read = outcomes(body.as_bytes(), RecordFormat::Json);
    assert_eq!(read, values.into_iter().map(Ok).collect::<Vec<_>>());
}
