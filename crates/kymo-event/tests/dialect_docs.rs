//! docs/dialects.md tells of every dialect, and its samples are what it says.
use kymo_event::{
    RawJson,
    dialects::{self, DIALECTS},
};

const PAGE: &str = include_str!("../../../docs/dialects.md");

fn section(name: &str) -> Option<&'static str> {
    let start = PAGE.find(&format!("\n## {name}\n"))? + 1;
    let rest = &PAGE[start..];
    Some(rest.find("\n## ").map_or(rest, |end| &rest[..end]))
}

#[test]
fn every_dialect_has_its_section_and_its_row_in_order() {
    let mut from = PAGE.find("## How a record is recognised").unwrap();
    for dialect in DIALECTS {
        assert!(
            section(dialect.name()).is_some(),
            "{} has no section",
            dialect.name()
        );
        let row = format!("\n| `{}` |", dialect.name());
        from += PAGE[from..]
            .find(&row)
            .unwrap_or_else(|| panic!("{row} is missing or in another place"));
    }
}

#[test]
fn every_sample_is_recognised_as_the_dialect_it_is_shown_for() {
    let mut samples = 0;
    for dialect in DIALECTS {
        let blocks = section(dialect.name()).unwrap().split("```json\n").skip(1);
        for sample in blocks.flat_map(|block| block.split("```").next().unwrap_or_default().lines()) {
            let found = dialects::recognise(RawJson::parse(sample, 64).unwrap());
            assert_eq!(found.map(|found| found.name()), Some(dialect.name()), "{sample}");
            samples += 1;
        }
    }
    assert!(samples >= 9);
}
