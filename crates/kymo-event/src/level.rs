//! How serious an event is.

/// The five levels, in rising order.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// For those who look into one part.
    Debug,
    /// The normal course of things.
    #[default]
    Info,
    /// Something to look at.
    Warn,
    /// Something failed.
    Error,
    /// Something is down.
    Critical,
}

impl Level {
    /// All levels in rising order; the index is the number in the sidecar.
    pub const ALL: [Self; 5] = [Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Critical];

    /// The word in the ledger.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }

    /// Understands the five words and `warning`, `fatal`, `success`, in any case.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        if let Some(level) = Self::from_word(word) {
            return Some(level);
        }
        match word.to_ascii_lowercase().as_str() {
            "warning" => Some(Self::Warn),
            "fatal" => Some(Self::Critical),
            "success" => Some(Self::Info),
            lower => Self::from_word(lower),
        }
    }

    /// Only the words that the ledger has.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "debug" => Self::Debug,
            "info" => Self::Info,
            "warn" => Self::Warn,
            "error" => Self::Error,
            "critical" => Self::Critical,
            _ => return None,
        })
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Level;

    #[test]
    fn every_level_reads_its_own_word_and_words_of_others_find_their_place() {
        for level in Level::ALL {
            assert_eq!(Level::parse(level.as_str()), Some(level));
            assert_eq!(Level::parse(&level.as_str().to_uppercase()), Some(level));
        }
        assert_eq!(Level::parse("Warning"), Some(Level::Warn));
        assert_eq!(Level::parse("FATAL"), Some(Level::Critical));
        assert_eq!(Level::parse("success"), Some(Level::Info));
        assert_eq!(Level::parse("loud"), None);
    }
}
