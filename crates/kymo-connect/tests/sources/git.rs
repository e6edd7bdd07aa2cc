//! What happens in a repository.

use std::fs;

use crate::rig::{Ground, git};

/// Git's part of a story.
fn of_git(story: Vec<String>) -> Vec<String> {
    story
        .into_iter()
        .filter(|told| told.starts_with("git."))
        .collect()
}

fn repository() -> Ground {
    let ground = Ground::new();
    ground.repository();
    ground
}

#[test]
fn the_state_at_start_names_branch_and_head_and_the_past_is_not_told() {
    let ground = repository();
    ground.git(&["branch", "topic"]);
    let head = ground.git(&["rev-parse", "HEAD"]);
    let rig = ground.watch();
    let started = rig.until("watch.started", |seen| seen.kind == "watch.started");
    assert_eq!(started.data["git"]["branch"], "main");
    assert_eq!(started.data["git"]["head"], head.trim());
    assert_eq!(rig.status().directories, 1, "git's own are not counted");
    assert_eq!(rig.story(), Vec::<String>::new());
}

#[test]
fn a_commit_says_who_what_and_how_much() {
    let rig = repository().watch();
    rig.write("src/a.rs", "one\ntwo\n");
    rig.write("README.md", "# Two\n");
    rig.commit("Say: hello");
    let commit = rig.until_told("git.commit Say: hello");
    assert_eq!(
        (commit.text("author"), commit.text("branch"), commit.text("repo")),
        ("Ada", "main", ".")
    );
    assert_eq!(
        (
            &commit.data["files"],
            &commit.data["added"],
            &commit.data["removed"]
        ),
        (&2.into(), &3.into(), &1.into())
    );
    assert_eq!(commit.text("hash"), rig.git(&["rev-parse", "HEAD"]).trim());
    assert!(commit.data.get("via").is_none());
    assert_eq!(of_git(rig.story()), ["git.commit Say: hello"]);
}

#[test]
fn many_commits_in_a_row_are_told_each_and_in_order() {
    let rig = repository().watch();
    for n in 0..12 {
        rig.write("n.txt", format!("{n}\n"));
        rig.commit(&format!("Number {n}"));
    }
    rig.until_told("git.commit Number 11");
    let expected: Vec<String> = (0..12).map(|n| format!("git.commit Number {n}")).collect();
    assert_eq!(of_git(rig.story()), expected);
}

#[test]
fn an_amended_commit_names_the_one_it_amends() {
    let rig = repository().watch();
    let before = rig.git(&["rev-parse", "HEAD"]);
    rig.git(&["commit", "-q", "--amend", "-m", "Better"]);
    let commit = rig.until_told("git.commit Better");
    assert_eq!(
        (commit.text("via"), commit.text("amends")),
        ("amend", before.trim())
    );
}

#[test]
fn branches_are_created_checked_out_and_removed() {
    let rig = repository().watch();
    rig.git(&["checkout", "-q", "-b", "feature/one"]);
    rig.until_told("git.checkout main -> feature/one");
    rig.write("a.txt", "a\nb\n");
    rig.commit("On it");
    rig.until_told("git.commit On it");
    rig.git(&["checkout", "-q", "main"]);
    let back = rig.until_told("git.checkout feature/one -> main");
    assert_eq!(
        (back.text("branch"), &back.data["files"], &back.data["removed"]),
        ("main", &1.into(), &2.into())
    );
    rig.git(&["branch", "-q", "-D", "feature/one"]);
    rig.until_told("git.branch_removed feature/one");
    rig.git(&["tag", "v1"]);
    rig.until_told("git.tag_created v1");
    rig.git(&["checkout", "-q", "--detach"]);
    let detached = rig.until("detached", |seen| {
        seen.kind == "git.checkout" && seen.data["branch"].is_null()
    });
    assert_eq!(detached.text("from"), "main");
    let story = of_git(rig.story());
    assert_eq!(
        story[..3],
        [
            "git.branch_created feature/one",
            "git.checkout main -> feature/one",
            "git.commit On it"
        ]
    );
    assert_eq!(story.len(), 7, "{story:#?}");
}

#[test]
fn a_reset_and_a_fast_forward_move_the_branch() {
    let rig = repository();
    rig.git(&["checkout", "-q", "-b", "topic"]);
    for n in 0..3 {
        rig.write("n.txt", format!("{n}\n"));
        rig.commit(&n.to_string());
    }
    rig.git(&["checkout", "-q", "main"]);
    let rig = rig.watch();
    rig.git(&["merge", "-q", "topic"]);
    let merged = rig.until_told("git.branch_updated main");
    assert_eq!(
        (&merged.data["commits"], merged.text("reason")),
        (&3.into(), "merge topic: Fast-forward")
    );
    assert_eq!(merged.data["files"], 1);
    rig.git(&["reset", "-q", "--hard", "HEAD~2"]);
    rig.until("the reset", |seen| {
        seen.text("reason") == "reset: moving to HEAD~2"
    });
    rig.git(&["branch", "-f", "topic", "main"]);
    rig.until_told("git.branch_updated topic");
    assert_eq!(of_git(rig.story()).len(), 3);
}

/// `main` and `topic` with one commit each; both change the same file when `conflict`.
fn diverged(conflict: bool) -> Ground {
    let ground = repository();
    ground.write("same.txt", "base\n");
    ground.commit("Base");
    ground.git(&["checkout", "-q", "-b", "topic"]);
    ground.write(if conflict { "same.txt" } else { "theirs.txt" }, "theirs\n");
    ground.commit("Theirs");
    ground.git(&["checkout", "-q", "main"]);
    ground.write("same.txt", "ours\n");
    ground.commit("Ours");
    ground
}

#[test]
fn a_merge_is_a_commit_compared_with_its_first_parent() {
    let rig = diverged(false).watch();
    rig.git(&["merge", "-q", "--no-edit", "topic"]);
    let merge = rig.until_told("git.commit Merge branch 'topic'");
    assert_eq!(
        (merge.text("via"), &merge.data["merge"], &merge.data["files"]),
        ("merge", &true.into(), &1.into())
    );
    assert_eq!(of_git(rig.story()), ["git.commit Merge branch 'topic'"]);
}

#[test]
fn a_merge_that_stops_is_a_state_until_it_is_committed_or_given_up() {
    let rig = diverged(true).watch();
    rig.git(&["merge", "-q", "topic"]);
    rig.until_told("git.merge started");
    rig.git(&["merge", "--abort"]);
    rig.until_told("git.merge aborted");
    rig.git(&["merge", "-q", "topic"]);
    rig.seen.until("the second merge", |seen| {
        (seen
            .iter()
            .filter(|one| one.told() == "git.merge started")
            .count()
            == 2)
            .then_some(())
    });
    rig.write("same.txt", "both\n");
    rig.commit("Both");
    rig.until_told("git.merge finished");
    let story = of_git(rig.story());
    assert_eq!(
        story,
        [
            "git.merge started",
            "git.merge aborted",
            "git.merge started",
            "git.commit Both",
            "git.merge finished"
        ]
    );
}

#[test]
fn a_rebase_is_told_from_its_start_to_its_end() {
    let rig = diverged(false);
    rig.git(&["checkout", "-q", "topic"]);
    let rig = rig.watch();
    rig.git(&["rebase", "-q", "main"]);
    rig.until_told("git.rebase finished");
    rig.until_told("git.branch_updated topic");
    let commit = rig.until_told("git.commit Theirs");
    assert_eq!(commit.text("via"), "rebase");
    let mut story = of_git(rig.story());
    assert_eq!(story[..2], ["git.rebase started", "git.commit Theirs"]);
    story[2..].sort(); // git moves the branch while it finishes
    assert_eq!(story[2..], ["git.branch_updated topic", "git.rebase finished"]);
}

#[test]
fn a_rebase_that_stops_is_in_progress_until_it_is_aborted() {
    let rig = diverged(true);
    rig.git(&["checkout", "-q", "topic"]);
    let rig = rig.watch();
    rig.git(&["rebase", "-q", "main"]);
    rig.until_told("git.rebase started");
    rig.settle("zz-1");
    rig.git(&["rebase", "--abort"]);
    rig.until_told("git.rebase aborted");
    assert_eq!(of_git(rig.story()), ["git.rebase started", "git.rebase aborted"]);
}

#[test]
fn packing_the_refs_is_no_event() {
    let rig = repository();
    rig.git(&["branch", "topic"]);
    let rig = rig.watch();
    rig.git(&["pack-refs", "--all"]);
    rig.git(&["gc", "-q"]);
    rig.git(&["status"]);
    rig.commit("After");
    rig.until_told("git.commit After");
    assert_eq!(of_git(rig.story()), ["git.commit After"]);
}

#[test]
fn the_first_commit_of_an_empty_repository_is_a_commit_and_no_branch() {
    let ground = Ground::new();
    ground.git(&["init", "-q", "-b", "main"]);
    let rig = ground.watch();
    rig.write("a.txt", "one\n");
    rig.commit("First");
    let commit = rig.until_told("git.commit First");
    assert_eq!(
        (&commit.data["files"], &commit.data["added"]),
        (&1.into(), &1.into())
    );
    assert_eq!(of_git(rig.story()), ["git.commit First"]);
}

#[test]
fn a_repository_made_while_watching_is_followed() {
    let rig = Ground::with(&["a.txt"]).watch();
    rig.git(&["init", "-q", "-b", "main"]);
    rig.commit("First");
    rig.until_told("git.commit First");
    rig.commit("Second");
    rig.until_told("git.commit Second");
    assert_eq!(of_git(rig.story()), ["git.commit First", "git.commit Second"]);
}

#[test]
fn a_repository_inside_the_folder_has_its_own_name() {
    let ground = repository();
    ground.mkdir("libs/inner");
    git(&ground.path("libs/inner"), &["init", "-q", "-b", "trunk"]);
    let rig = ground.watch();
    rig.write("libs/inner/a.txt", "x\n");
    rig.until_told("created libs/inner/a.txt +1 -0");
    git(&rig.path("libs/inner"), &["add", "-A"]);
    git(&rig.path("libs/inner"), &["commit", "-q", "-m", "Inside"]);
    let commit = rig.until_told("git.commit Inside");
    assert_eq!(
        (commit.text("repo"), commit.text("branch")),
        ("libs/inner", "trunk")
    );
}

#[test]
fn a_linked_worktree_is_followed_by_its_own_head() {
    let ground = repository();
    let tree = ground.dir.path().canonicalize().unwrap().join("linked");
    ground.git(&["worktree", "add", "-q", "-b", "linked", tree.to_str().unwrap()]);
    let rig = ground.watch_with(|settings| settings.folders = vec![tree.clone()]);
    let started = rig.until("watch.started", |seen| seen.kind == "watch.started");
    assert_eq!(started.data["git"]["branch"], "linked");
    fs::write(tree.join("a.txt"), "x\n").unwrap();
    git(&tree, &["add", "-A"]);
    git(&tree, &["commit", "-q", "-m", "In the worktree"]);
    let commit = rig.until_told("git.commit In the worktree");
    assert_eq!((commit.text("branch"), commit.text("repo")), ("linked", "."));
    rig.commit("In the other one");
    rig.until_told("git.branch_updated main");
}

#[test]
fn a_checkout_of_thousands_of_files_is_one_checkout_and_a_counted_burst() {
    let ground = repository();
    ground.git(&["checkout", "-q", "-b", "many"]);
    for n in 0..2_500 {
        ground.write(&format!("d{}/{n}.txt", n % 20), "x\n");
    }
    ground.commit("Many");
    ground.git(&["checkout", "-q", "main"]);
    let rig = ground.watch();
    rig.git(&["checkout", "-q", "many"]);
    let checkout = rig.until_told("git.checkout main -> many");
    assert_eq!(
        (&checkout.data["files"], &checkout.data["added"]),
        (&2_500.into(), &2_500.into())
    );
    rig.seen.until("all files", |seen| {
        let shown = seen.iter().filter(|one| one.kind == "file.created").count() as u64;
        let bursts = seen.iter().filter(|one| one.kind == "file.burst");
        let left_out: u64 = bursts.map(|one| one.data["created"].as_u64().unwrap()).sum();
        (shown + left_out == 2_500).then_some(())
    });
    assert_eq!(of_git(rig.story()), ["git.checkout main -> many"]);
}

#[test]
fn without_a_reflog_commits_and_checkouts_are_still_told() {
    let ground = Ground::new();
    ground.git(&["init", "-q", "-b", "main"]);
    ground.git(&["config", "core.logAllRefUpdates", "false"]);
    ground.write("a.txt", "x\n");
    ground.commit("First");
    let rig = ground.watch();
    rig.commit("Second");
    rig.until_told("git.commit Second");
    rig.git(&["checkout", "-q", "-b", "topic"]);
    rig.until_told("git.checkout main -> topic");
    rig.commit("Third");
    rig.until_told("git.commit Third");
    assert_eq!(
        of_git(rig.story()),
        [
            "git.commit Second",
            "git.branch_created topic",
            "git.checkout main -> topic",
            "git.commit Third"
        ]
    );
}
