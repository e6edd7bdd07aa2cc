//! What is known of event types: category, usual level, icon, and which event ends which. Knowledge, never a gate: `type` is an open set.
use crate::Level;

/// What a type name means to people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Category {
    /// One word.
    pub name: &'static str,
    /// Name of a Tabler icon.
    pub icon: &'static str,
    /// One sentence.
    pub about: &'static str,
}

/// All categories, in the order pages show them.
pub static CATEGORIES: &[Category] = &[];
/// All types we know, grouped by category.
pub static TYPES: &[TypeInfo] = &[];

/// The entry for a name, separators folded.
#[must_use]
pub fn lookup(name: &str) -> Option<&'static TypeInfo> {
    todo!("{name}")
}
