//! Events over plain HTTP: POST stores, GET reads the past.
mod emit;
pub(crate) mod form;
mod history;

pub(crate) use emit::{Asked, EMIT_PARAMETERS, PATH, admit, emit, status, unhurried, write_receipt};
pub(crate) use history::{HISTORY_PARAMETERS, history, write_gap};
