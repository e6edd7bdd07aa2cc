//! Asks the `git` program, in a way that never writes, never waits for a person and ends in any case.

use std::{
    io::Read,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// Lines added and removed, and in how many files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) files: u64,
    pub(crate) added: u64,
    pub(crate) removed: u64,
}

/// What git knows of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Details {
    pub(crate) hash: String,
    pub(crate) author: String,
    pub(crate) parents: usize,
    pub(crate) subject: String,
    pub(crate) numbers: Numbers,
}

/// Details of these commits; merges are compared with their first parent.
pub(super) fn details(work: &Path, hashes: &[&str]) -> Result<Vec<Details>, String> {
    let mut args = vec![
        "log",
        "--no-walk=unsorted",
        "--no-show-signature",
        "--no-color",
        "--no-ext-diff",
        "--no-textconv",
        "-m",
        "--first-parent",
        "--numstat",
        "--format=%x1e%H%x1f%an%x1f%P%x1f%s",
    ];
    args.extend(hashes);
    args.push("--");
    Ok(run(work, &args)?
        .split('\u{1e}')
        .filter_map(parse_details)
        .collect())
}

/// What lies between two commits.
pub(super) fn difference(work: &Path, from: &str, to: &str) -> Result<Numbers, String> {
    let args = [
        "diff",
        "--numstat",
        "--no-color",
        "--no-ext-diff",
        "--no-textconv",
        from,
        to,
        "--",
    ];
    Ok(numbers(run(work, &args)?.lines()))
}

/// Commits that are in `to` and not in `from`, oldest first, a bounded number of them.
pub(super) fn between(work: &Path, from: &str, to: &str) -> Result<Vec<String>, String> {
    let range = format!("{from}..{to}");
    let text = run(
        work,
        &[
            "rev-list",
            "--reverse",
            "--first-parent",
            "--max-count=1000",
            &range,
            "--",
        ],
    )?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// All branches and tags (`refs/heads/main <hash>`), for repositories whose refs are no plain files.
pub(super) fn refs(work: &Path) -> Result<Vec<(String, String)>, String> {
    let args = [
        "for-each-ref",
        "--format=%(refname) %(objectname)",
        "refs/heads",
        "refs/tags",
    ];
    let pairs = |text: String| {
        text.lines()
            .filter_map(|line| line.split_once(' '))
            .map(own)
            .collect()
    };
    run(work, &args).map(pairs)
}

/// The branch HEAD names and the commit it is at, for the same repositories.
pub(super) fn head(work: &Path) -> (Option<String>, Option<String>) {
    let ask = |args: &[&str]| run(work, args).ok().map(|text| text.trim().to_owned());
    (
        ask(&["symbolic-ref", "-q", "HEAD"]),
        ask(&["rev-parse", "-q", "--verify", "HEAD"]),
    )
}

fn own((name, hash): (&str, &str)) -> (String, String) {
    (name.to_owned(), hash.to_owned())
}

fn parse_details(record: &str) -> Option<Details> {
    let (header, rest) = record.split_once('\n').unwrap_or((record, ""));
    let mut fields = header.splitn(4, '\u{1f}');
    Some(Details {
        hash: fields.next().filter(|hash| !hash.is_empty())?.to_owned(),
        author: fields.next()?.to_owned(),
        parents: fields.next()?.split_whitespace().count(),
        subject: fields.next()?.to_owned(),
        numbers: numbers(rest.lines()),
    })
}

/// Adds up `--numstat` lines; binary files have `-` for both numbers.
fn numbers<'a>(lines: impl Iterator<Item = &'a str>) -> Numbers {
    let mut sum = Numbers::default();
    for line in lines {
        let mut fields = line.splitn(3, '\t');
        if let (Some(added), Some(removed), Some(_)) = (fields.next(), fields.next(), fields.next()) {
            sum.files += 1;
            sum.added += added.parse().unwrap_or(0);
            sum.removed += removed.parse().unwrap_or(0);
        }
    }
    sum
}

fn run(work: &Path, args: &[&str]) -> Result<String, String> {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(work)
        .args(["-c", "core.quotePath=true"])
        .args(args);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("LC_ALL", "C");
    // Set when we were started by a hook, and about another repository.
    for name in [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_COMMON_DIR",
        "GIT_PREFIX",
        "GIT_OBJECT_DIRECTORY",
    ] {
        command.env_remove(name);
    }
    let mut child = command
        .spawn()
        .map_err(|error| format!("git does not start: {error}"))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (said, answer) = mpsc::channel();
    let reader = std::thread::spawn(move || said.send((read(out), read(err))));
    let answer = answer.recv_timeout(PATIENCE);
    if answer.is_err() {
        child.kill().ok();
    }
    let status = child.wait().map_err(|error| format!("git was lost: {error}"))?;
    reader.join().ok();
    match answer {
        Ok((out, _)) if status.success() => Ok(out),
        Ok((_, err)) => Err(err
            .lines()
            .next()
            .unwrap_or("git failed and did not say why")
            .to_owned()),
        Err(_) => Err(format!("git did not answer within {} s", PATIENCE.as_secs())),
    }
}

fn read(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut bytes).ok();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_git_log_becomes_details_and_its_numbers_are_added_up() {
        let record =
            "abc\u{1f}Ada\u{1f}p1 p2\u{1f}Say: hello\n\n3\t1\tsrc/a.rs\n-\t-\tlogo.png\n10\t0\tb c.txt\n";
        let details = parse_details(record).unwrap();
        assert_eq!((details.hash.as_str(), details.author.as_str()), ("abc", "Ada"));
        assert_eq!((details.parents, details.subject.as_str()), (2, "Say: hello"));
        assert_eq!(
            details.numbers,
            Numbers {
                files: 3,
                added: 13,
                removed: 1
            }
        );
    }
}
