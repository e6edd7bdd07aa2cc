//! The append-only log: segments of JSON lines, an index beside each, one writer, any number of readers.
//!
//! A [`Ledger`] is the only writer of its folder. A reader sees an event once its group is durable, never earlier:
//! that promise is what lets a subscription resume after a crash. It knows lines and columns; it does not know who
//! reads (that is `kymo-hub`) nor what events mean.

mod api;
pub use api::*;
