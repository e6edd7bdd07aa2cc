//! Names that editors and tools use while they save, so that a save is one change of one file.

/// Files that are an editor's own affair and never reported: swap files, locks, backups while saving.
pub(super) fn is_scratch(name: &str) -> bool {
    name == "4913" // vim: may I write here?
        || (name.len() > 1 && name.ends_with('~')) // vim, emacs: the version before
        || (name.starts_with('#') && name.ends_with('#') && name.len() > 2) // emacs: autosave
        || name.starts_with(".#") // emacs: lock
        || is_vim_swap(name)
        || name.ends_with("___jb_tmp___")
        || name.ends_with("___jb_old___") // JetBrains: safe write
        || name.starts_with(".goutputstream-") // GLib
        || name.starts_with(".fuse_hidden")
        || (name.starts_with(".nfs") && name.len() > 20) // removed while open
}

/// `.name.swp`, `.swo`, …
fn is_vim_swap(name: &str) -> bool {
    let Some((stem, extension)) = name.rsplit_once('.') else {
        return false;
    };
    stem.starts_with('.') && matches!(extension.as_bytes(), [b's', b'v' | b'w', b'a'..=b'z'])
}

/// New files that may be about to be renamed over another one; `exists` asks for a name in the same folder.
/// They are real if they stay.
pub(super) fn may_be_temporary(name: &str, exists: impl Fn(&str) -> bool) -> bool {
    let bare = name.trim_start_matches('.');
    let sed =
        name.len() == 9 && name.starts_with("sed") && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let extension = bare.rsplit('.').next().unwrap_or("");
    sed || bare.starts_with("tmp")
        || matches!(
            extension,
            "tmp" | "temp" | "new" | "part" | "swap" | "atomic" | "crdownload"
        )
        || bare.contains(".tmp")
        || is_longer_than_one_that(exists, bare)
}

/// `main.rs.Xa91k`, `.main.rs.123`, `main.rs-tmp` beside `main.rs`.
fn is_longer_than_one_that(exists: impl Fn(&str) -> bool, bare: &str) -> bool {
    let cuts = bare
        .char_indices()
        .filter(|(at, letter)| *at > 0 && matches!(letter, '.' | '-' | '_' | '~'));
    let mut beginnings = cuts.map(|(at, _)| &bare[..at]);
    beginnings.any(|beginning| beginning.contains('.') && exists(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_editors_are_known_and_names_of_people_are_not() {
        for name in [
            "4913",
            "main.rs~",
            ".main.rs.swp",
            ".main.rs.swo",
            ".main.rs.swx",
            ".a.svz",
            "#main.rs#",
            ".#main.rs",
            "main.rs___jb_tmp___",
            "main.rs___jb_old___",
            ".goutputstream-AB12",
        ] {
            assert!(is_scratch(name), "{name}");
        }
        for name in [
            "main.rs", "~", "##", "#", ".env", "a.swift", "notes.sw", ".swcrc", "logo.svg", ".x.svg2", "4914",
        ] {
            assert!(!is_scratch(name), "{name}");
        }
    }

    #[test]
    fn a_new_file_named_like_a_neighbour_may_be_temporary() {
        let exists = |name: &str| name == "main.rs" || name == "main";
        for name in [
            "sedA1b2C3",
            "main.rs.tmp",
            ".main.rs.Xa91",
            "main.rs-new",
            "tmpab12",
            ".tmpab12",
            "x.rs.tmp.12.34",
        ] {
            assert!(may_be_temporary(name, exists), "{name}");
        }
        for name in ["lib.rs", "main_test.rs", "sedimentary", "main.py", "main.rst"] {
            assert!(!may_be_temporary(name, exists), "{name}");
        }
    }
}
