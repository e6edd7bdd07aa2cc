//! Sources: the activity of a folder, and the spools that emitters left while no server answered.
//!
//! A source turns what happens outside into events and hands them to an [`Outlet`]; it knows no HTTP server.

mod api;
pub use api::*;
