//! What is left out.

use std::fs;

use crate::rig::{Ground, git};

#[test]
fn rules_at_every_level_hold_and_git_and_kymo_are_never_reported() {
    let ground = Ground::with(&["a.txt", "sub/b.txt", "node_modules/x/y.js", "target/debug/z"]);
    ground.repository();
    ground.write(".gitignore", "*.log\n/target/\nnode_modules\n");
    ground.write("sub/.gitignore", "!keep.log\nprivate/\n");
    ground.write(".git/info/exclude", "*.local\n");
    ground.mkdir(".kymo/ledger");
    ground.commit("Rules");
    let rig = ground.watch_with(|settings| settings.ignore = vec!["*.mine".into()]);
    let before = rig.status().directories;
    for left_out in [
        "x.log",
        "target/debug/z",
        "target/new/z",
        "node_modules/x/y.js",
        "node_modules/n.js",
        "sub/private/p.txt",
        "a.local",
        "sub/b.mine",
        ".kymo/ledger/1.jsonl",
        ".git/something",
        "sub/x.log",
    ] {
        rig.write(left_out, "x\n");
    }
    rig.write("sub/keep.log", "x\n");
    rig.write("sub/c.txt", "x\n");
    rig.write(".env", "x\n");
    rig.settle("zz-here");
    assert_eq!(rig.status().directories, before, "what is left out costs nothing");
    let mut story = rig.story();
    story.sort();
    assert_eq!(
        story,
        [
            "created .env +1 -0",
            "created sub/c.txt +1 -0",
            "created sub/keep.log +1 -0"
        ]
    );
}

#[test]
fn a_change_of_the_rules_holds_at_once_and_is_no_change_of_files() {
    let ground = Ground::with(&["out/a.txt", "b.tmpl", "sub/c.log"]);
    ground.write(".gitignore", "*.log\n");
    let rig = ground.watch();
    rig.write(".gitignore", "out/\n*.tmpl\n");
    rig.until_told("modified .gitignore +2 -1");
    rig.settle("zz-1");
    rig.write("out/a.txt", "two\n");
    rig.write("out/deep/new.txt", "two\n");
    rig.write("b.tmpl", "two\n");
    rig.write("sub/c.log", "two\n");
    rig.until_told("modified sub/c.log +1 -1");
    rig.remove(".gitignore");
    rig.until_told("removed .gitignore +0 -2");
    rig.settle("zz-2");
    rig.write("out/deep/new.txt", "two\nthree\n");
    rig.until_told("modified out/deep/new.txt +1 -0");
    rig.write("b.tmpl", "three\n");
    assert_eq!(
        rig.story(),
        [
            "modified .gitignore +2 -1",
            "modified sub/c.log +1 -1",
            "removed .gitignore +0 -2",
            "modified out/deep/new.txt +1 -0",
            "modified b.tmpl +1 -1",
        ]
    );
}

#[test]
fn a_change_of_the_exclude_file_holds_at_once() {
    let ground = Ground::with(&["a.txt", "b.local"]);
    ground.repository();
    let rig = ground.watch();
    let directories = rig.status().directories;
    rig.write(".git/info/exclude", "*.local\n");
    rig.settle("zz-1");
    rig.write("b.local", "two\n");
    rig.write("a.txt", "two\n");
    rig.until_told("modified a.txt +1 -1");
    assert_eq!(rig.status().directories, directories);
    assert_eq!(rig.story(), ["modified a.txt +1 -1"]);
}

#[test]
fn new_rules_in_a_new_folder_hold_for_it() {
    let rig = Ground::new().watch();
    let elsewhere = rig.dir.path().join("made");
    fs::create_dir_all(elsewhere.join("cache")).unwrap();
    fs::write(elsewhere.join(".gitignore"), "cache\n").unwrap();
    fs::write(elsewhere.join("cache/a"), "x\n").unwrap();
    fs::write(elsewhere.join("b.txt"), "x\n").unwrap();
    fs::rename(elsewhere, rig.path("made")).unwrap();
    rig.until_told("created made/b.txt +1 -0");
    rig.write("made/cache/a", "y\n");
    let mut story = rig.story();
    story.sort();
    assert_eq!(
        story,
        ["created made/.gitignore +1 -0", "created made/b.txt +1 -0"]
    );
}

#[test]
fn rules_of_folders_above_hold_up_to_the_top_of_the_work_tree() {
    let ground = Ground::with(&["pkg/a.txt"]);
    ground.repository();
    ground.write(".gitignore", "*.log\n");
    let inside = ground.path("pkg");
    let rig = ground.watch_with(|settings| settings.folders = vec![inside.clone()]);
    rig.write("pkg/x.log", "x\n");
    rig.write("pkg/b.txt", "x\n");
    rig.write("outside.txt", "x\n");
    rig.until_told("created b.txt +1 -0");
    git(&rig.root, &["add", "-A"]);
    git(&rig.root, &["commit", "-q", "-m", "From above"]);
    rig.until_told("git.commit From above");
    rig.write("pkg/zz-last", "");
    rig.until("the last", |seen| seen.text("path") == "zz-last");
    let files = rig
        .seen
        .seen()
        .into_iter()
        .filter(|seen| seen.kind == "file.created")
        .count();
    assert_eq!(files, 2);
}
