//! Records that real programs wrote, and those of the documents; skipped where they do not lie beside the checkout.
use std::{fs, path::PathBuf};

use kymo_event::{
    Limits, RawJson, RecordFormat, Records,
    dialects::{self, Dialect, Native, Resonance},
};

use crate::round_trip;

fn beside(path: &str) -> Option<Vec<PathBuf>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared")
        .join(path);
    let Ok(entries) = fs::read_dir(&folder) else {
        eprintln!("skipped: {} is not there", folder.display());
        return None;
    };
    let paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    assert!(!paths.is_empty());
    Some(paths)
}

#[test]
fn every_line_of_real_ledgers_comes_back_and_has_its_time() {
    for path in beside("fixtures/resonance").unwrap_or_default() {
        let body = fs::read(&path).unwrap();
        let mut lines = 0;
        for record in Records::new(&body, RecordFormat::Lines, &Limits::default()).unwrap() {
            let record = record.value.unwrap();
            let event = round_trip(&Resonance, record.as_str());
            assert!(event.time.is_some(), "{}", record.as_str());
            lines += 1;
        }
        assert!(lines > 10, "{}", path.display());
    }
}

#[test]
fn every_json_sample_of_the_documents_is_recognised_and_comes_back() {
    let Some(paths) = beside("seeds") else { return };
    let mut samples = 0;
    for path in paths {
        let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        for block in text.split("```json").skip(1) {
            let sample = block.split("```").next().unwrap_or_default();
            let record = RawJson::parse(sample, 128).unwrap();
            let dialect = dialects::recognise(record).unwrap();
            assert_ne!(dialect.name(), Native.name(), "{sample}");
            round_trip(dialect, sample);
            samples += 1;
        }
    }
    assert!(samples > 0);
}
