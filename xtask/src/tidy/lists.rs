//! Lists that a reader trusts: crates in ARCHITECTURE.md, pages in docs/README.md, pictures in the README.

use super::Source;
use crate::steps::{Outcome, root};

pub(super) fn find(sources: &[Source]) -> Outcome<Vec<String>> {
    let mut faults = crates_without_a_line(sources);
    faults.extend(pages_without_a_link(sources));
    faults.extend(dead_links(sources));
    Ok(faults)
}

fn text_of<'a>(sources: &'a [Source], path: &str) -> &'a str {
    sources
        .iter()
        .find(|source| source.path == path)
        .map_or("", |source| &source.text)
}

fn crates_without_a_line(sources: &[Source]) -> Vec<String> {
    let map = text_of(sources, "ARCHITECTURE.md");
    let manifests = sources
        .iter()
        .filter(|source| source.path.ends_with("Cargo.toml"));
    let names = manifests.filter_map(|source| {
        let line = source.text.lines().find(|line| line.starts_with("name = "))?;
        Some(line.trim_start_matches("name = ").trim_matches('"'))
    });
    let missing = names.filter(|name| !map.contains(&format!("`{name}`")));
    missing
        .map(|name| format!("ARCHITECTURE.md has no line for `{name}`"))
        .collect()
}

fn pages_without_a_link(sources: &[Source]) -> Vec<String> {
    let index = text_of(sources, "docs/README.md");
    let pages = sources
        .iter()
        .filter_map(|source| source.path.strip_prefix("docs/"));
    let pages = pages.filter(|page| page.ends_with(".md") && *page != "README.md");
    pages
        .filter(|page| !index.contains(&format!("({page})")))
        .map(|page| format!("docs/README.md does not name {page}"))
        .collect()
}

fn dead_links(sources: &[Source]) -> Vec<String> {
    let pages = sources.iter().filter(|source| source.path.ends_with(".md"));
    pages
        .flat_map(|page| links(&page.text).filter_map(|link| dead_link(page, link)))
        .collect()
}

fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://") && !target.starts_with('#') && !target.contains(' '))
}

fn dead_link(page: &Source, link: &str) -> Option<String> {
    let path = link.split('#').next().unwrap_or(link);
    let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let exists = root().join(folder).join(path).exists();
    (!exists).then(|| format!("{} links to {link}, which is not there", page.path))
}
