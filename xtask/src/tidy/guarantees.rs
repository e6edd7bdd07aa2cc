//! Every promise of docs/guarantees.md names tests, and every test it names is there.

use super::Source;
use crate::steps::Outcome;

const PAGE: &str = "docs/guarantees.md";

pub(super) fn find(sources: &[Source]) -> Outcome<Vec<String>> {
    let page = sources
        .iter()
        .find(|source| source.path == PAGE)
        .ok_or("docs/guarantees.md is not there")?;
    let mut faults = promises_without_a_test(&page.text);
    faults.extend(tests_that_are_gone(&page.text, sources));
    Ok(faults)
}

/// A line such as `- [what_it_shows](../crates/kymo/tests/program/run.rs)`: the test and its file.
fn test_of(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix("- [")?.split_once("](../")?;
    Some((name, rest.strip_suffix(')')?))
}

/// The last part says what is not promised.
fn promises_without_a_test(page: &str) -> Vec<String> {
    let parts = page.split("\n## ").skip(1);
    parts
        .filter(|part| part.lines().all(|line| test_of(line).is_none()))
        .filter_map(|part| part.lines().next())
        .filter(|title| *title != "What is not promised")
        .map(|title| format!("{PAGE} names no test for \"{title}\""))
        .collect()
}

fn tests_that_are_gone(page: &str, sources: &[Source]) -> Vec<String> {
    let is_there = |name: &str, path: &str| {
        let mut files = sources.iter().filter(|source| source.path == path);
        files.any(|file| file.text.contains(&beginning(name, path)))
    };
    page.lines()
        .filter_map(test_of)
        .filter(|(name, path)| !is_there(name, path))
        .map(|(name, path)| format!("{PAGE} names the test {name}, which is not in {path}"))
        .collect()
}

/// How a test of this name begins in a file.
fn beginning(name: &str, path: &str) -> String {
    if path.ends_with(".mjs") {
        format!("test(\"{name}\"")
    } else {
        format!("fn {name}(")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    fn faults(page: &str) -> Vec<String> {
        let sources = [
            source(PAGE, page),
            source(
                "crates/a/tests/x.rs",
                "#[test]\nfn it_holds() {}\nproptest! { fn it_holds_for_all(\n",
            ),
            source("tests/e2e/x.test.mjs", "test(\"it is shown\", async () => {})"),
        ];
        find(&sources).expect("found")
    }

    #[test]
    fn a_page_whose_tests_are_all_there_is_good() {
        let page = "# G\n\n## One\n\n- [it_holds](../crates/a/tests/x.rs)\n- [it_holds_for_all](../crates/a/tests/x.rs)\n\
                    \n## Two\n\n- [it is shown](../tests/e2e/x.test.mjs)\n\n## What is not promised\n\n- much\n";
        assert_eq!(faults(page), Vec::<String>::new());
    }

    #[test]
    fn a_test_that_is_gone_and_a_promise_without_one_are_faults() {
        let page = "# G\n\n## One\n\n- [it_held](../crates/a/tests/x.rs)\n- [it_holds](../crates/a/tests/y.rs)\n\n## Two\n\nWords.\n";
        let faults = faults(page);
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert!(faults[0].contains("\"Two\"") && faults[1].contains("it_held") && faults[2].contains("y.rs"));
    }
}
