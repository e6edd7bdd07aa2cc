//! The one place that asks the machine for the time and for new ids.

use std::time::SystemTime;

use kymo_event::Micros;

/// A moment as events write it.
pub(crate) fn micros(moment: SystemTime) -> Micros {
    let since = |earlier: SystemTime, later: SystemTime| {
        let micros = later.duration_since(earlier).map_or(0, |gap| gap.as_micros());
        i64::try_from(micros).unwrap_or(i64::MAX)
    };
    if moment >= SystemTime::UNIX_EPOCH {
        Micros(since(SystemTime::UNIX_EPOCH, moment))
    } else {
        Micros(-since(moment, SystemTime::UNIX_EPOCH))
    }
}

/// This moment.
pub(crate) fn now() -> Micros {
    micros(SystemTime::now())
}

/// An id nobody else has; later ids sort after earlier ones.
pub(crate) fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
