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
        todo!("{word}")
    }
}
