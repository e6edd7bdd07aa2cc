//! Who gets what, when: admission, ring, subscriptions, counters.
//!
//! Every event passes [`Intake`] on its way in and a [`Subscriber`] on its way out; between them is the ledger. A
//! subscriber is a cursor that reads the ring when near the head and the files when not. Knows no HTTP.

mod api;
pub use api::*;
