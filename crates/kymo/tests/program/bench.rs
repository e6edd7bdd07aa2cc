//! The bench itself, so small that its figures say nothing: every work is done and every figure is there.

use std::ffi::OsString;

use serde_json::Value;

#[test]
fn the_bench_measures_every_work_and_writes_it_down() {
    let runs = tempfile::tempdir().unwrap();
    let folder = runs.path().to_str().unwrap();
    let kymo = env!("CARGO_BIN_EXE_kymo");
    let args = [
        "bench",
        "--tiny",
        "--without-peers",
        "--runs",
        folder,
        "--kymo",
        kymo,
    ];
    kymo_bench::run(args.map(OsString::from)).unwrap();

    let written = |extension: &str| {
        let files = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().path());
        let mut files = files.filter(|path| path.extension().is_some_and(|found| found == extension));
        std::fs::read_to_string(files.next().unwrap()).unwrap()
    };
    let report: Value = serde_json::from_str(&written("json")).unwrap();
    let works = report["works"].as_array().unwrap();
    assert!(works.len() >= 9);
    for work in works {
        let figures = work["results"]["kymo"]["median"].as_object().unwrap();
        assert!(
            figures
                .values()
                .all(|value| value.as_f64().is_some_and(f64::is_finite)),
            "{work}"
        );
        assert!(!figures.is_empty(), "{work}");
        let title = work["title"].as_str().unwrap();
        assert!(written("md").contains(title), "{title}");
    }
}
