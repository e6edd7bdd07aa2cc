//! How many descriptors there may be, and so how many connections: each takes one, and the ledger needs some whatever
//! clients do.
//!
//! The usual limit of a shell or a service is a thousand or less, and most systems let a program ask for far more.

/// What the ledger, the watch and their helpers need besides connections.
const RESERVE: u64 = 256;

/// How many connections there is room for, once the limit was raised.
pub(crate) fn connections_max() -> u64 {
    raise_descriptors_max().map_or(u64::MAX, |most| most - RESERVE.min(most / 2))
}

/// Raises this process's limit as far as it may be raised; what it is then, `None` where there is none.
#[cfg(unix)]
pub fn raise_descriptors_max() -> Option<u64> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let usual = getrlimit(Resource::Nofile);
    let mut limit = usual;
    limit.current = limit.maximum;
    if limit != usual && setrlimit(Resource::Nofile, limit).is_err() {
        limit = usual;
    }
    limit.current
}

/// There is no such limit here.
#[cfg(not(unix))]
pub fn raise_descriptors_max() -> Option<u64> {
    None
}
