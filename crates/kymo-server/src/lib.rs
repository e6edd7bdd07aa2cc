//! The wire: HTTP, SSE, WebSocket, tokens, the embedded page. The only crate that knows status codes.
//!
//! Given its parts it starts nothing of its own: [`Server::serve`] runs until its shutdown is asked for. What may be
//! stored and who gets what is decided in `kymo-hub`; here bytes become records and deliveries become bytes.

mod agents;
mod app;
mod auth;
mod body;
mod bridges;
mod budget;
mod catalogue;
mod command;
mod conductor;
mod descriptors;
mod direct;
mod docs;
mod doors;
mod encoders;
mod engineio;
mod error;
mod events;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod gate;
mod health;
mod inflate;
mod lane;
mod login;
mod metrics;
mod openapi;
mod page;
mod params;
mod position;
mod routes;
mod rules;
mod server;
mod settings;
mod socket;
mod socketio;
mod spread;
#[cfg(test)]
mod stage;
mod status;
mod stream;
mod tokens;
mod ws;

pub use app::Parts;
pub use auth::{TokenError, TokenInfo, TokenStore};
pub use descriptors::raise_descriptors_max;
pub use doors::{Anonymous, ConductorSettings, DoorsSettings, SocketIoSettings};
pub use server::{Server, StartError};
pub use settings::ServerSettings;
