//! What stands on a chart, and where.

use super::{
    draw::apart,
    scale::{Kind, Scale},
    *,
};

fn chart(series: Vec<Series>) -> Chart {
    Chart {
        name: "sample",
        title: "Time & <space>",
        note: "a note".into(),
        x: Axis {
            name: "readers",
            unit: Unit::Count,
            kind: Kind::Log,
        },
        y: Axis {
            name: "time",
            unit: Unit::Micros,
            kind: Kind::Log,
        },
        series,
    }
}

fn line(name: &'static str, points: &[(f64, f64)]) -> Series {
    Series {
        name,
        points: points.to_vec(),
    }
}

#[test]
fn a_linear_axis_begins_at_zero_and_ends_at_a_round_value_above_the_highest() {
    let scale = Scale::rounded(Kind::Linear, [730.0, 1_830.0].into_iter());
    assert_eq!(scale.ticks(), [0.0, 500.0, 1_000.0, 1_500.0, 2_000.0]);
    assert!((scale.place(500.0) - 0.25).abs() < 1e-9);
}

#[test]
fn a_short_logarithmic_axis_shows_one_two_and_five_and_a_long_one_only_powers_of_ten() {
    let short = Scale::rounded(Kind::Log, [0.7, 33.0].into_iter());
    assert_eq!(short.ticks(), [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0]);
    let long = Scale::tight(Kind::Log, [100.0, 1_048_576.0].into_iter());
    assert_eq!(long.ticks(), [100.0, 1e3, 1e4, 1e5, 1e6]);
}

#[test]
fn on_a_logarithmic_axis_equal_factors_are_equally_far_apart() {
    let scale = Scale::tight(Kind::Log, [1.0, 1_000.0].into_iter());
    let places = [1.0, 10.0, 100.0, 1_000.0].map(|value| scale.place(value));
    for (place, wanted) in places.into_iter().zip([0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0]) {
        assert!((place - wanted).abs() < 1e-9, "{place} is not {wanted}");
    }
}

#[test]
fn ticks_stay_within_the_axis_whatever_the_values() {
    for exponent in -6..7 {
        for kind in [Kind::Linear, Kind::Log] {
            let value = 3.7 * 10_f64.powi(exponent);
            let scale = Scale::rounded(kind, [value, value * 41.0].into_iter());
            let ticks = scale.ticks();
            assert!((2..=10).contains(&ticks.len()), "{kind:?} {value}: {ticks:?}");
            for tick in ticks {
                let place = scale.place(tick);
                assert!(
                    (-1e-6..=1.0 + 1e-6).contains(&place),
                    "{kind:?} {value}: {tick} at {place}"
                );
            }
        }
    }
}

#[test]
fn one_value_or_none_still_makes_an_axis() {
    for kind in [Kind::Linear, Kind::Log] {
        for values in [&[][..], &[5.0][..]] {
            let scale = Scale::rounded(kind, values.iter().copied());
            assert!(
                scale.place(5.0).is_finite() && !scale.ticks().is_empty(),
                "{scale:?}"
            );
        }
    }
}

#[test]
fn numbers_are_short_and_in_the_unit_a_person_would_choose() {
    let texts = [
        (Unit::Micros, 0.85, "0.85 µs"),
        (Unit::Micros, 999.96, "1 ms"),
        (Unit::Micros, 1_500.0, "1.5 ms"),
        (Unit::Micros, 2_000_000.0, "2 s"),
        (Unit::Bytes, 350.0, "350 B"),
        (Unit::Bytes, 1_048_576.0, "1 MB"),
        (Unit::Count, 1.0, "1"),
        (Unit::Count, 50_000_000.0, "50 M"),
        (Unit::PerSecond, 1_234_567.0, "1.2 M/s"),
        (Unit::MegabytesPerSecond, 420.0, "420 MB/s"),
        (Unit::Micros, 0.0, "0"),
        (Unit::Count, 200_000.0, "200,000"),
    ];
    for (unit, value, text) in texts {
        assert_eq!(unit.text(value), text);
    }
}

#[test]
fn names_of_lines_that_end_together_are_moved_apart_and_stay_in_the_field() {
    let heights = apart(&[300.0, 301.0, 302.0], 100.0, 320.0);
    assert_eq!(heights, [254.0, 287.0, 320.0]);
    assert_eq!(apart(&[120.0, 200.0], 100.0, 320.0), [120.0, 200.0]);
}

#[test]
fn a_picture_holds_every_point_and_name_and_no_bare_markup() {
    let svg = draw::svg(
        &chart(vec![
            line("one", &[(1.0, 2.0), (10.0, 4.0)]),
            line("two", &[(1.0, 3.0)]),
            line("three", &[]),
        ]),
        "a machine",
    );
    assert_eq!(svg.matches("class=\"dot").count(), 3);
    assert_eq!(svg.matches("class=\"line").count(), 2);
    assert!(svg.contains(">one<") && svg.contains(">two<") && !svg.contains(">three<"));
    assert!(svg.contains("Time &amp; &lt;space>") && !svg.contains("NaN"));
    assert!(svg.contains("prefers-color-scheme:dark") && svg.contains("class=\"card\""));
}

#[test]
fn the_numbers_beside_have_a_column_for_each_line() {
    let csv = chart(vec![
        line("one", &[(1.0, 2.0), (10.0, 0.123_456)]),
        line("two, too", &[(10.0, 123_456.0)]),
    ])
    .csv();
    assert_eq!(
        csv,
        "readers,one (µs),\"two, too (µs)\"\n1,2,\n10,0.1235,123500\n"
    );
}
