//! Moments against an independent calendar (jiff).
use kymo_event::Micros;
use proptest::prelude::*;

fn by_jiff(text: &str) -> i64 {
    let timestamp: jiff::Timestamp = text.parse().unwrap();
    i64::try_from(timestamp.as_nanosecond().div_euclid(1000)).unwrap()
}

proptest! {
    #[test]
    fn the_text_of_a_moment_is_what_jiff_says(micros in -62_135_596_800_000_000..253_402_200_000_000_000_i64) {
        let text = Micros(micros).to_string();
        prop_assert_eq!(by_jiff(&text), micros);
        prop_assert_eq!(Micros::parse(&text), Ok(Micros(micros)));
    }

    #[test]
    fn any_offset_and_fraction_is_read_as_jiff_reads_it(
        micros in -62_000_000_000_000_000..253_000_000_000_000_000_i64,
        fraction in "(\\.[0-9]{1,12})?",
        offset in prop_oneof!["[+-](0[0-9]|1[0-9]|2[0-3]):[0-5][0-9]", Just("Z".to_string()), Just("z".to_string())],
        t in prop_oneof![Just('T'), Just('t'), Just(' ')],
    ) {
        let canonical = Micros(micros).to_string();
        let cut: String = fraction.chars().take(10).collect();
        let text = |fraction: &str| format!("{}{t}{}{fraction}{offset}", &canonical[..10], &canonical[11..19]);
        prop_assert_eq!(Micros::parse(&text(&fraction)), Ok(Micros(by_jiff(&text(&cut)))));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,40}", noise in "[0-9TZ:.+ -]{15,40}") {
        let _ = (Micros::parse(&text), Micros::parse(&noise));
        let _ = (Micros::from_epoch_number(&text), Micros::from_epoch_number(&noise));
    }

    #[test]
    fn epoch_numbers_are_read_exactly(micros in 0..9_999_999_999_000_000_i64) {
        let seconds = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        prop_assert_eq!(Micros::from_epoch_number(&seconds), Ok(Micros(micros)));
        prop_assert_eq!(Micros::from_epoch_number(&format!("-{seconds}")), Ok(Micros(-micros)));
    }
}

#[test]
fn impossible_dates_and_half_written_times_are_refused() {
    let texts = [
        "",
        "lunchtime",
        "2018-04-05",
        "2018-04-05T18:31Z",
        "2018-04-05\x0018:31:00Z",
        "2018-04-05T18:31:00",
        "2018-04-05T18:31:00X",
        "2018-04-05T18:31:00+25:00",
        "2018-04-05T18:31:00+05",
        "2018-04-05T18:31:00+xx:00",
        "2018-04-05T18:31:00+05:60",
        "2018-04-05T18:31:00.Z",
        "2018-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2018-13-01T00:00:00Z",
        "2018-00-01T00:00:00Z",
        "2018-01-00T00:00:00Z",
        "2018-04-31T00:00:00Z",
        "2018-04-05T24:00:00Z",
        "2018-04-05T23:60:00Z",
        "2018-04-05T23:59:61Z",
        "+018-04-05T23:59:00Z",
        "2018-04-05T23:59:00Zz",
        "0000-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "2018-04-05T18:31:00é",
        "２018-04-05T18:31:00Z",
    ];
    for text in texts {
        assert!(Micros::parse(text).is_err(), "{text}");
    }
}

#[test]
fn the_ends_of_the_calendar_have_a_text() {
    assert_eq!(Micros::MIN.to_string(), "0000-01-01T00:00:00.000000Z");
    assert_eq!(Micros::MAX.to_string(), "9999-12-31T23:59:59.999999Z");
    assert_eq!(Micros(i64::MAX).to_string(), Micros::MAX.to_string());
    assert_eq!(Micros(i64::MIN).to_string(), Micros::MIN.to_string());
    assert_eq!(
        Micros::parse("2000-02-29T23:59:60.5Z"),
        Micros::parse("2000-02-29T23:59:59.5Z")
    );
}

#[test]
fn large_epoch_numbers_are_milliseconds_and_absurd_ones_are_refused() {
    let moment = Micros::parse("2026-02-14T19:01:23.456Z").unwrap();
    assert_eq!(Micros::from_epoch_number("1771095683.456"), Ok(moment));
    assert_eq!(Micros::from_epoch_number("1771095683456"), Ok(moment));
    assert_eq!(Micros::from_epoch_number("1771095683456.000"), Ok(moment));
    assert_eq!(Micros::from_epoch_number("1.771095683456e9"), Ok(moment));
    assert_eq!(
        Micros::from_epoch_number("9999999999"),
        Ok(Micros(9_999_999_999_000_000))
    );
    assert_eq!(
        Micros::from_epoch_number("10000000000"),
        Ok(Micros(10_000_000_000_000))
    );
    for number in [
        "1e300",
        "253402300800000",
        "99999999999999999999999",
        "-99999999999999",
        "+5",
        "--5",
        "--1e300",
        ".5",
    ] {
        assert!(Micros::from_epoch_number(number).is_err(), "{number}");
    }
    assert_eq!(Micros::from_epoch(std::time::Duration::from_micros(5)), Micros(5));
    assert_eq!(Micros::from_epoch_seconds(5), Micros(5_000_000));
    assert_eq!(Micros::from_epoch_millis(5), Micros(5_000));
}
