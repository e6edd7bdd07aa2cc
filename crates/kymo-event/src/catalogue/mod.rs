//! What is known of event types: category, usual level, icon, and which event ends which.
//!
//! Knowledge, never a gate: `type` is an open set, most real names are in no list, and nothing is refused or stored
//! otherwise for being unknown. One file per group of emitters; adding a type is one line there.

mod agents;
mod broadcast;
mod categories;
mod conductor;
mod egos;
mod folder;
mod own;
mod pairing;
mod resonance;

use std::{collections::HashMap, sync::LazyLock};

pub use categories::CATEGORIES;
pub use pairing::{Outcome, Pairing, pairing};

use crate::{Level, fold_separators};

/// What a type name means to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct TypeInfo {
    /// Dot notation.
    pub name: &'static str,
    /// Name of one of [`CATEGORIES`].
    pub category: &'static str,
    /// The level it usually has.
    pub level: Level,
    /// One sentence.
    pub about: &'static str,
}

/// A group of types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Category {
    /// One word.
    pub name: &'static str,
    /// Name of a Tabler icon.
    pub icon: &'static str,
    /// One sentence.
    pub about: &'static str,
}

/// The groups, each by who emits its types.
const GROUPS: &[&[TypeInfo]] = &[
    agents::TYPES,
    folder::TYPES,
    own::TYPES,
    resonance::TYPES,
    broadcast::TYPES,
    conductor::TYPES,
    egos::TYPES,
];

/// All types we know, in the order of the groups.
pub static TYPES: &[TypeInfo] = &joined::<{ count(GROUPS) }>(GROUPS);

/// Everything known, as `GET /api/v1/catalogue` gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Catalogue {
    /// In the order pages show them.
    pub categories: &'static [Category],
    /// In the order of the groups.
    pub types: &'static [TypeInfo],
}

/// Everything known.
#[must_use]
pub fn catalogue() -> Catalogue {
    Catalogue {
        categories: CATEGORIES,
        types: TYPES,
    }
}

/// The entry for a name, separators folded.
#[must_use]
pub fn lookup(name: &str) -> Option<&'static TypeInfo> {
    INDEX.types.get(&*fold_separators(name)).copied()
}

/// The category of any name: that of its entry, else that of the types which share its longest known beginning
/// (`task.archived` is a task), else the last of [`CATEGORIES`], `other`.
#[must_use]
pub fn category_of(name: &str) -> &'static Category {
    let name = fold_separators(name);
    let known = INDEX.types.get(&*name).map(|info| info.category);
    let category =
        known.or_else(|| beginnings(&name).find_map(|beginning| INDEX.beginnings.get(beginning).copied()));
    category
        .and_then(category_named)
        .unwrap_or(&CATEGORIES[CATEGORIES.len() - 1])
}

fn category_named(name: &str) -> Option<&'static Category> {
    CATEGORIES.iter().find(|category| category.name == name)
}

struct Index {
    /// By folded name.
    types: HashMap<String, &'static TypeInfo>,
    /// By folded beginning, without its last dot; the first type of the list with that beginning decides.
    beginnings: HashMap<String, &'static str>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index {
        types: HashMap::new(),
        beginnings: HashMap::new(),
    };
    for info in TYPES {
        let name = fold_separators(info.name).into_owned();
        for beginning in beginnings(&name) {
            index
                .beginnings
                .entry(beginning.to_owned())
                .or_insert(info.category);
        }
        index.types.insert(name, info);
    }
    index
});

/// `a.b.c`, `a.b`, `a`.
fn beginnings(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| {
        name.rsplit_once('.').map(|(beginning, _)| beginning)
    })
}

/// One entry.
const fn kind(name: &'static str, category: &'static str, level: Level, about: &'static str) -> TypeInfo {
    TypeInfo {
        name,
        category,
        level,
        about,
    }
}

const fn count(groups: &[&[TypeInfo]]) -> usize {
    let (mut count, mut group) = (0, 0);
    while group < groups.len() {
        count += groups[group].len();
        group += 1;
    }
    count
}

/// The groups end to end. Loops by index, for a constant is made before there are iterators.
const fn joined<const N: usize>(groups: &[&[TypeInfo]]) -> [TypeInfo; N] {
    let mut all = [groups[0][0]; N];
    let (mut at, mut group) = (0, 0);
    while group < groups.len() {
        let mut index = 0;
        while index < groups[group].len() {
            all[at] = groups[group][index];
            at += 1;
            index += 1;
        }
        group += 1;
    }
    all
}
