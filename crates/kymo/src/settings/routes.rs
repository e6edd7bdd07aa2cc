//! `[routes.NAME]`: each is one value that is judged whole, because what it says of its data has names of its own.
use std::collections::BTreeMap;

use kymo_hub::routes::{RouteSettings, Routes, Said};
use serde::Deserialize;
use toml::{Table, Value};

use super::layers::Origin;
use crate::failure::{Failure, Kind};

const SECTION: &str = "routes";

/// Whether a key is a route, or in one.
pub(super) fn is_route(key: &str) -> bool {
    key.split('.').next() == Some(SECTION)
}

/// Whether a key is that of a route itself.
pub(super) fn is_whole(key: &str) -> bool {
    is_route(key) && key.matches('.').count() == 1
}

/// Judges every route of the settings.
pub(super) fn judge(values: &Table, origins: &BTreeMap<String, Origin>) -> Result<(), Failure> {
    let Some(routes) = values.get(SECTION) else {
        return Ok(());
    };
    let Some(routes) = routes.as_table() else {
        return Err(wrong("`routes` is no setting".into()).hint("begin a table with [routes.NAME]"));
    };
    for (name, value) in routes {
        let key = format!("{SECTION}.{name}");
        let inside = format!("{key}.");
        let place = origins
            .iter()
            .find(|(origin, _)| **origin == key || origin.starts_with(&inside));
        let place = place.map_or(&Origin::Default, |(_, origin)| origin);
        let problem = |problem: &str| {
            wrong(format!("[{key}] ({place}): {}", problem.trim_end()))
                .hint("docs/routes.md says what a route has")
        };
        let settings = read(value).map_err(|error| problem(error.message()))?;
        let refused = Routes::default().configure(&Said::from([(name.clone(), settings)]));
        if let Some((_, refused)) = refused.first() {
            return Err(problem(&refused.to_string()));
        }
    }
    Ok(())
}

fn read(value: &Value) -> Result<RouteSettings, toml::de::Error> {
    RouteSettings::deserialize(value.clone())
}

fn wrong(message: String) -> Failure {
    Failure::new(Kind::Settings, message).code("invalid_parameter")
}
