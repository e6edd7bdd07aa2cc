//! The routes that shall run: those of the settings and those made over the API, by name.
//!
//! Whoever runs them follows [`Routes::changes`]; nothing here runs, and nothing is kept on disk.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::{RouteSettings, Rule, RuleError};

/// Bytes of a name at most.
const NAME_MAX: usize = 64;
/// Routes at most: each is a reader of its own.
const ROUTES_MAX: usize = 256;

/// Who said that a route shall run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteOrigin {
    /// `kymo.toml`, the environment or the command line.
    Settings,
    /// The API; kept in the data folder.
    Api,
}

/// One route that shall run.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// What it does.
    pub settings: RouteSettings,
    /// Who said so.
    pub origin: RouteOrigin,
}

/// Routes by name, as they were said.
pub type Said = BTreeMap<String, RouteSettings>;

/// All that shall run, by name.
pub type RouteList = Arc<BTreeMap<String, Listed>>;

/// The routes that shall run.
#[derive(Debug, Default)]
pub struct Routes {
    said: Mutex<AllSaid>,
    list: watch::Sender<RouteList>,
}

/// Where both have a route of one name, that of the settings runs.
#[derive(Debug, Default)]
struct AllSaid {
    configured: Said,
    made: Said,
}

/// Why the list stays as it is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteRefused {
    /// A name that is none.
    #[error("a route's name has 1 to {NAME_MAX} letters, digits, `-` and `_`")]
    Name,
    /// The settings have it.
    #[error("the route `{0}` is in the settings; change it there")]
    InSettings(String),
    /// There are as many as there may be.
    #[error("there are {ROUTES_MAX} routes already; remove one first")]
    TooMany,
    /// It cannot be run.
    #[error(transparent)]
    Rule(#[from] RuleError),
}

impl Routes {
    /// Replaces all routes of the settings. What cannot be run is left out and named.
    pub fn configure(&self, routes: &Said) -> Vec<(String, RouteRefused)> {
        let mut refused = Vec::new();
        let mut configured = Said::new();
        for (name, settings) in routes {
            match check(name, settings) {
                Ok(()) => drop(configured.insert(name.clone(), settings.clone())),
                Err(error) => refused.push((name.clone(), error)),
            }
        }
        self.change(|said| said.configured = configured);
        refused
    }

    /// What the API's routes would be with this one made or replaced, for who keeps them before they hold.
    pub fn with(&self, name: &str, settings: RouteSettings) -> Result<Said, RouteRefused> {
        check(name, &settings)?;
        let said = self.said.lock();
        said.may_be_made(name)?;
        let mut made = said.made.clone();
        made.insert(name.to_owned(), settings);
        match made.len() > ROUTES_MAX {
            true => Err(RouteRefused::TooMany),
            false => Ok(made),
        }
    }

    /// The same without this route; `None` if there is none.
    pub fn without(&self, name: &str) -> Result<Option<Said>, RouteRefused> {
        let said = self.said.lock();
        said.may_be_made(name)?;
        let mut made = said.made.clone();
        Ok(made.remove(name).map(|_| made))
    }

    /// Replaces the API's routes.
    pub fn make(&self, made: Said) {
        self.change(|said| said.made = made);
    }

    /// Which there are.
    #[must_use]
    pub fn list(&self) -> RouteList {
        Arc::clone(&self.list.borrow())
    }

    /// Follows the list.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<RouteList> {
        self.list.subscribe()
    }

    fn change(&self, change: impl FnOnce(&mut AllSaid)) {
        let mut said = self.said.lock();
        change(&mut said);
        let new = said.list();
        self.list.send_if_modified(|list| {
            let changed = *list != new;
            *list = new;
            changed
        });
    }
}

impl AllSaid {
    fn may_be_made(&self, name: &str) -> Result<(), RouteRefused> {
        match self.configured.contains_key(name) {
            true => Err(RouteRefused::InSettings(name.to_owned())),
            false => Ok(()),
        }
    }

    fn list(&self) -> RouteList {
        let listed = |origin| {
            move |(name, settings): (&String, &RouteSettings)| {
                let settings = settings.clone();
                (name.clone(), Listed { settings, origin })
            }
        };
        let made = self.made.iter().map(listed(RouteOrigin::Api));
        let configured = self.configured.iter().map(listed(RouteOrigin::Settings));
        Arc::new(made.chain(configured).collect())
    }
}

fn check(name: &str, settings: &RouteSettings) -> Result<(), RouteRefused> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(is_name) {
        return Err(RouteRefused::Name);
    }
    Rule::new(settings)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(kind: &str) -> RouteSettings {
        serde_json::from_value(serde_json::json!({ "when": "type:a", "emit": { "type": kind } }))
            .expect("settings")
    }

    fn names(routes: &Routes) -> Vec<String> {
        routes.list().keys().cloned().collect()
    }

    #[test]
    fn the_settings_say_which_routes_there_are_and_the_api_adds_to_them() {
        let routes = Routes::default();
        let mut changes = routes.changes();
        let settings = BTreeMap::from([("a".into(), route("x")), ("b".into(), route("kymo.x"))]);
        let refused = routes.configure(&settings);
        assert!(
            matches!(&refused[..], [(name, RouteRefused::Rule(_))] if name == "b"),
            "{refused:?}"
        );
        assert_eq!(names(&routes), ["a"]);
        assert!(changes.has_changed().expect("it is there"));
        changes.mark_unchanged();

        routes.make(routes.with("c", route("y")).expect("it can be made"));
        assert_eq!(names(&routes), ["a", "c"]);
        assert_eq!(
            routes.with("a", route("y")),
            Err(RouteRefused::InSettings("a".into()))
        );
        assert_eq!(routes.without("a"), Err(RouteRefused::InSettings("a".into())));
        assert_eq!(routes.without("nowhere"), Ok(None));

        // What is said once more changes nothing.
        changes.mark_unchanged();
        routes.configure(&BTreeMap::from([("a".into(), route("x"))]));
        assert!(!changes.has_changed().expect("it is there"));

        // The settings have the last word for as long as they have one.
        routes.configure(&BTreeMap::from([("c".into(), route("z"))]));
        assert_eq!(names(&routes), ["c"]);
        assert_eq!(routes.list()["c"].origin, RouteOrigin::Settings);
        routes.configure(&BTreeMap::new());
        assert_eq!(routes.list()["c"].origin, RouteOrigin::Api);
        routes.make(routes.without("c").expect("it is made").expect("it is there"));
        assert_eq!(names(&routes), Vec::<String>::new());
    }

    #[test]
    fn names_and_numbers_are_bounded() {
        let routes = Routes::default();
        let long = "x".repeat(NAME_MAX + 1);
        for name in ["", "a b", "ä", "../a", &long] {
            assert_eq!(routes.with(name, route("x")), Err(RouteRefused::Name), "{name}");
        }
        let many = (0..ROUTES_MAX).map(|number| (format!("r{number}"), route("x")));
        routes.make(many.collect());
        assert_eq!(routes.with("one-more", route("x")), Err(RouteRefused::TooMany));
    }
}
