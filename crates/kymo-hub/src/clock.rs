//! What time it is, for rates, counters and `ago`; given from outside so that tests own it.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use kymo_event::Micros;

/// Tells the time.
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> Micros + Send + Sync>);

impl Clock {
    /// The machine's clock.
    pub(crate) fn system() -> Self {
        Self::new(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
        })
    }

    /// A clock of one's own.
    pub(crate) fn new(now: impl Fn() -> Micros + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(crate) fn now(&self) -> Micros {
        (self.0)()
    }

    /// Whole seconds since 1970.
    pub(crate) fn second(&self) -> i64 {
        self.now().0.div_euclid(1_000_000)
    }
}
