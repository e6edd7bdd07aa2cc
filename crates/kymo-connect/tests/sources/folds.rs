//! Whatever happens in a folder: the events add up to what is there.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use proptest::prelude::*;

use crate::{
    collector::Seen,
    rig::{Ground, Rig},
};

/// Something a person or a program does.
#[derive(Clone, Debug)]
enum Step {
    Write(u8, u8),
    SaveByRenaming(u8, u8),
    Rename(u8, u8),
    Remove(u8),
    /// Lets what was done until here be reported before going on.
    Settle,
}

/// Few names, so that much happens to each: files in folders that are moved, removed and made again.
fn name(n: u8) -> PathBuf {
    let names = ["a", "b", "d/a", "d/b", "d/e/a", "d/e", "d", "f/a", "f", "f/e/a"];
    names[usize::from(n) % names.len()].into()
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (any::<u8>(), any::<u8>()).prop_map(|(path, text)| Step::Write(path, text)),
        1 => (any::<u8>(), any::<u8>()).prop_map(|(path, text)| Step::SaveByRenaming(path, text)),
        4 => (any::<u8>(), any::<u8>()).prop_map(|(from, to)| Step::Rename(from, to)),
        2 => any::<u8>().prop_map(Step::Remove),
        2 => Just(Step::Settle),
    ];
    prop::collection::vec(step, 1..40)
}

/// Does what it can; what cannot be done is not.
fn act(rig: &Rig, step: &Step, number: usize) {
    let at = |n: &u8| rig.root.join(name(*n));
    let make_room = |path: &Path| _ = fs::create_dir_all(path.parent().unwrap());
    match step {
        Step::Write(path, text) => {
            make_room(&at(path));
            fs::write(at(path), text.to_string().repeat(usize::from(*text) % 7)).ok();
        }
        Step::SaveByRenaming(path, text) => {
            make_room(&at(path));
            let temporary = at(path).with_extension("tmp");
            if fs::write(&temporary, text.to_string()).is_ok() && fs::rename(&temporary, at(path)).is_err() {
                fs::remove_file(temporary).ok();
            }
        }
        Step::Rename(from, to) => {
            make_room(&at(to));
            fs::rename(at(from), at(to)).ok();
        }
        Step::Remove(path) => {
            let path = at(path);
            fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path)).ok();
        }
        Step::Settle => rig.settle(&format!("zz-{number}")),
    }
}

fn files_in(folder: &Path, inside: &Path, files: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let inside = inside.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            files_in(&entry.path(), &inside, files);
        } else {
            files.insert(inside.to_str().unwrap().to_owned());
        }
    }
}

/// What is there by the events alone; each must fit to what was there.
fn fold(events: &[Seen]) -> BTreeSet<String> {
    let mut files = BTreeSet::<String>::new();
    let told = || events.iter().map(Seen::told).collect::<Vec<_>>();
    for event in events {
        let (path, from) = (event.text("path").to_owned(), event.text("from"));
        match event.kind.as_str() {
            "file.created" => assert!(
                files.insert(path.clone()),
                "{path} was there already: {:#?}",
                told()
            ),
            "file.modified" => assert!(files.contains(&path), "{path} was not there: {:#?}", told()),
            "file.removed" => assert!(files.remove(&path), "{path} was not there: {:#?}", told()),
            "file.renamed" if event.data["directory"] == true => {
                let prefix = format!("{from}/");
                let moved: Vec<_> = files
                    .iter()
                    .filter(|file| file.starts_with(&prefix))
                    .cloned()
                    .collect();
                for file in moved {
                    files.remove(&file);
                    files.insert(format!("{path}/{}", &file[prefix.len()..]));
                }
            }
            "file.renamed" => {
                assert!(files.remove(from), "{from} was not there: {:#?}", told());
                assert_eq!(
                    !files.insert(path.clone()),
                    event.data["replaced"] == true,
                    "{path}: {:#?}",
                    told()
                );
            }
            _ => {}
        }
    }
    files
}

/// A few, since each takes a quarter of a second; more with `PROPTEST_CASES`.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(16)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_events_add_up_to_what_is_there(steps in steps()) {
        let rig = Ground::new().watch();
        for (number, step) in steps.iter().enumerate() {
            act(&rig, step, number);
        }
        rig.settle("zz-last");
        let root = rig.root.clone();
        let keep = fs::canonicalize(rig.dir.path()).unwrap();
        prop_assert!(root.starts_with(keep));
        let (events, there) = rig.end_with(|| {
            let mut files = BTreeSet::new();
            files_in(&root, Path::new(""), &mut files);
            files
        });
        let by_events = fold(&events);
        let told: Vec<_> = events.iter().map(Seen::told).collect();
        prop_assert_eq!(by_events, there, "{:#?}", told);
    }
}
