//! How many connections there may be: each takes a descriptor, and the ledger needs some whatever clients do.
//!
//! The usual limit of a shell or a service is a thousand, and most systems let a program ask for far more.

/// What the ledger, the watch and their helpers need besides connections.
#[cfg(unix)]
const RESERVE: u64 = 256;

/// Raises this process's limit as far as it may be raised; how many connections that leaves room for.
#[cfg(unix)]
pub(crate) fn connections_max() -> u64 {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let usual = getrlimit(Resource::Nofile);
    let mut limit = usual;
    limit.current = limit.maximum;
    if limit != usual && setrlimit(Resource::Nofile, limit).is_err() {
        limit = usual;
    }
    limit
        .current
        .map_or(u64::MAX, |most| most - RESERVE.min(most / 2))
}

/// There is no such limit here.
#[cfg(not(unix))]
pub(crate) fn connections_max() -> u64 {
    u64::MAX
}
