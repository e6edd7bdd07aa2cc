//! Routes: *when* a filter matches, *then* an event is derived from the one that matched.
//!
//! A rule is pure: a line of the ledger in, an event out, or what is wrong with it. Who runs it, and from where on, is
//! the business of `kymo-connect`: a route is a sink that delivers to the hub.

mod board;
mod expression;
mod rule;
mod settings;
mod template;

pub use board::{Listed, RouteList, RouteOrigin, RouteRefused, Routes, Said};
pub use rule::{RouteFault, Rule, RuleError};
pub use settings::{EmitSettings, RouteSettings};
