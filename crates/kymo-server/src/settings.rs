//! How the server listens and whom it believes; the words of `[server]` in `kymo.toml`.
use std::net::SocketAddr;

use crate::doors::DoorsSettings;

/// How the server listens and whom it believes.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSettings {
    /// Address and port; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Allow listening beyond loopback without TLS.
    pub insecure: bool,
    /// Origins of other sites that may use the API from a browser (besides our own page).
    pub origins: Vec<String>,
    /// Host names requests may carry besides loopback names and `listen`.
    pub hosts: Vec<String>,
    /// Doors for clients of other systems; the words of `[doors]`.
    #[serde(skip)]
    pub doors: DoorsSettings,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 7700).into(),
            insecure: false,
            origins: vec![],
            hosts: vec![],
            doors: DoorsSettings::default(),
        }
    }
}
