//! Events over plain HTTP: POST stores, GET reads the past.
mod emit;
pub(crate) mod form;
mod history;

pub(crate) use emit::{EMIT_PARAMETERS, admit, emit, unhurried};
pub(crate) use history::{HISTORY_PARAMETERS, history, write_gap};
