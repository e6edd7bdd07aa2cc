//! How editors save: each pattern is one change of one file.

use std::{fs, io::Write};

use crate::rig::{Ground, Rig};

const OLD: &str = "one\n";
const NEW: &str = "one\ntwo\n";

fn saved(name: &str, save: impl Fn(&Rig)) {
    let ground = Ground::new();
    ground.write(name, OLD);
    ground.write("other.rs", OLD);
    let rig = ground.watch();
    save(&rig);
    rig.until_told(&format!("modified {name} +1 -0"));
    assert_eq!(rig.story(), [format!("modified {name} +1 -0")]);
}

#[test]
fn in_place() {
    saved("main.rs", |rig| rig.write("main.rs", NEW));
}

#[test]
fn in_place_in_pieces() {
    saved("main.rs", |rig| {
        let mut file = fs::File::create(rig.path("main.rs")).unwrap();
        for piece in NEW.as_bytes().chunks(3) {
            file.write_all(piece).unwrap();
            file.sync_all().unwrap();
        }
    });
}

#[test]
fn vim_with_a_backup_by_renaming() {
    saved("main.rs", |rig| {
        rig.write(".main.rs.swp", "swap");
        rig.write("4913", "");
        rig.remove("4913");
        rig.rename("main.rs", "main.rs~");
        rig.write("main.rs", NEW);
        rig.write(".main.rs.swp", "swap again");
        rig.remove("main.rs~");
        rig.remove(".main.rs.swp");
    });
}

#[test]
fn vim_with_a_backup_by_copying() {
    saved("main.rs", |rig| {
        fs::copy(rig.path("main.rs"), rig.path("main.rs~")).unwrap();
        rig.write("main.rs", NEW);
        rig.remove("main.rs~");
    });
}

#[test]
fn emacs() {
    saved("main.rs", |rig| {
        #[cfg(unix)]
        std::os::unix::fs::symlink("ada@host.1:2", rig.path(".#main.rs")).unwrap();
        rig.write("#main.rs#", "autosave");
        rig.rename("main.rs", "main.rs~");
        rig.write("main.rs", NEW);
        rig.remove("#main.rs#");
        #[cfg(unix)]
        rig.remove(".#main.rs");
    });
}

#[test]
fn jetbrains_safe_write() {
    saved("main.rs", |rig| {
        rig.write("main.rs___jb_tmp___", NEW);
        rig.rename("main.rs", "main.rs___jb_old___");
        rig.rename("main.rs___jb_tmp___", "main.rs");
        rig.remove("main.rs___jb_old___");
    });
}

#[test]
fn sed_in_place() {
    saved("main.rs", |rig| {
        rig.write("sedA1b2C3", NEW);
        rig.rename("sedA1b2C3", "main.rs");
    });
}

#[cfg(unix)]
#[test]
fn the_real_sed() {
    saved("main.rs", |rig| {
        let done = std::process::Command::new("sed")
            .args(["-i", "1a two"])
            .arg(rig.path("main.rs"))
            .status();
        assert!(done.unwrap().success());
    });
}

#[test]
fn temporary_file_renamed_over() {
    for temporary in [
        ".main.rs.tmp",
        "main.rs.tmp.4711.99",
        ".main.rs.Xa91kQ",
        "main.rs.a1b2c3",
        ".goutputstream-AB12CD",
        ".tmpAbC123",
        "tmpk3j2h1",
    ] {
        saved("main.rs", |rig| {
            rig.write(temporary, NEW);
            rig.rename(temporary, "main.rs");
        });
    }
}

#[test]
fn removed_and_written_anew() {
    saved("main.rs", |rig| {
        rig.remove("main.rs");
        rig.write("main.rs", NEW);
    });
}

#[test]
fn hard_link_as_backup() {
    saved("main.rs", |rig| {
        fs::hard_link(rig.path("main.rs"), rig.path("main.rs~")).unwrap();
        rig.write("main.rs.new", NEW);
        rig.rename("main.rs.new", "main.rs");
        rig.remove("main.rs~");
    });
}

#[test]
fn a_backup_that_stays_is_a_new_file() {
    let ground = Ground::new();
    ground.write("main.rs", OLD);
    let rig = ground.watch();
    rig.rename("main.rs", "main.bak");
    rig.write("main.rs", NEW);
    let mut story = rig.story();
    story.sort();
    assert_eq!(story, ["created main.bak +1 -0", "modified main.rs +1 -0"]);
}

#[test]
fn a_file_named_like_a_temporary_one_that_stays_is_real() {
    let rig = Ground::with(&["main.rs"]).watch();
    rig.write("main.rs.tmp", "x\n");
    rig.until_told("created main.rs.tmp +1 -0");
    assert_eq!(rig.story(), ["created main.rs.tmp +1 -0"]);
}

#[test]
fn a_file_put_aside_for_good_is_removed() {
    let rig = Ground::with(&["main.rs"]).watch();
    rig.rename("main.rs", "main.rs~");
    rig.until_told("removed main.rs +0 -1");
    assert_eq!(rig.story(), ["removed main.rs +0 -1"]);
}

#[test]
fn a_new_file_saved_through_a_temporary_one_is_created_once() {
    let rig = Ground::with(&["other.rs"]).watch();
    rig.write(".new.rs.tmp", NEW);
    rig.rename(".new.rs.tmp", "new.rs");
    assert_eq!(rig.story(), ["created new.rs +2 -0"]);
}

#[test]
fn saving_without_a_change_is_a_save_of_no_lines() {
    let rig = Ground::with(&["main.rs"]).watch();
    rig.write("main.rs.tmp", OLD);
    rig.rename("main.rs.tmp", "main.rs");
    assert_eq!(rig.story(), ["modified main.rs +0 -0"]);
}
