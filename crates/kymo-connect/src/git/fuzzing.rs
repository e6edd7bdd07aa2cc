//! Any bytes as the files of a repository: what is read of them is whole, in order, and fit to be handed to git.

use std::{fs, path::Path};

use super::{
    Places,
    reflog::{Cursor, Entry},
    refs,
};

/// `HEAD`, `packed-refs` and the reflog before and after it grew, with NULs between them.
pub fn repository(folder: &Path, bytes: &[u8]) {
    let mut files = bytes.split(|byte| *byte == 0);
    let mut next = || files.next().unwrap_or_default();
    let put =
        |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).expect("the folder can be written");
    put("HEAD", next());
    put("packed-refs", next());
    let places = Places {
        work: folder.to_owned(),
        gitdir: folder.to_owned(),
        common: folder.to_owned(),
    };
    if let Some((head, refs)) = refs::read(&places) {
        head.hash
            .iter()
            .chain(refs.values())
            .for_each(|hash| is_for_git(hash));
        assert!(refs.keys().all(|name| name.starts_with("refs/")));
    }

    let (before, added, other) = (next(), next(), next());
    let log = folder.join("reflog");
    let mut cursor = Cursor::default();
    put("reflog", before);
    let mut entries = cursor.read_new(&log);
    put("reflog", &[before, added].concat());
    entries.extend(cursor.read_new(&log));
    put("reflog", &[before, added].concat());
    assert!(cursor.read_new(&log).is_empty(), "nothing was added");
    let mut whole = Cursor::default();
    assert_eq!(
        entries,
        whole.read_new(&log),
        "however it grows, its lines are the same"
    );
    entries.iter().for_each(is_sound);
    put("reflog", other);
    cursor.read_new(&log).iter().for_each(is_sound);
}

fn is_sound(entry: &Entry) {
    is_for_git(&entry.old);
    is_for_git(&entry.new);
    entry.subject();
    entry.meaning();
}

/// What stands on git's command line is a hash, never an option.
fn is_for_git(hash: &str) {
    assert!(
        hash.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{hash} is no hash"
    );
}
