//! Who is at the door, what it may do, and which envelope keys it is bound to.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use kymo_event::{
    Event, Filter, Refusal,
    filter::{Key, Node, Test},
};

/// What a token may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// write events
    Emit,
    /// read events
    Read,
    /// sources, rules, issues
    Manage,
    /// tokens, stop
    Admin,
}

impl Scope {
    /// Admin includes manage, manage includes emit and read; emit and read say nothing of each other.
    fn includes(self, other: Self) -> bool {
        match self {
            Self::Admin => true,
            Self::Manage => other != Self::Admin,
            Self::Emit | Self::Read => self == other,
        }
    }
}

/// A key a token can be bound to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BoundKey {
    /// `source`
    Source,
    /// `agent`
    Agent,
    /// `session`
    Session,
    /// `user`
    User,
    /// `tier`
    Tier,
}

impl BoundKey {
    /// The word in the envelope.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Agent => "agent",
            Self::Session => "session",
            Self::User => "user",
            Self::Tier => "tier",
        }
    }

    const fn filter_key(self) -> Key {
        match self {
            Self::Source => Key::Source,
            Self::Agent => Key::Agent,
            Self::Session => Key::Session,
            Self::User => Key::User,
            Self::Tier => Key::Tier,
        }
    }
}

/// Who is at the door: scopes, and the envelope keys the token is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// For logs and events; never the token.
    pub name: Arc<str>,
    /// What it may do. Admin and manage include what is below them.
    pub scopes: Vec<Scope>,
    /// Keys (source, agent, session, user, tier) every event of this principal has: filled in where absent, refused
    /// (`not_allowed`) where different, and a filter on everything it reads.
    pub bound: BTreeMap<BoundKey, String>,
}

/// What the native reading says where an emitter gave no source.
const NO_SOURCE: &str = "unknown";

impl Principal {
    /// May do everything, bound to nothing.
    #[must_use]
    pub fn owner() -> Self {
        Self {
            name: "owner".into(),
            scopes: vec![Scope::Admin],
            bound: BTreeMap::new(),
        }
    }

    /// Whether it may.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|own| own.includes(scope))
    }

    /// What it is bound to, as a filter.
    #[must_use]
    pub fn filter(&self) -> Filter {
        let parts = self
            .bound
            .iter()
            .map(|(key, value)| Node::Key(key.filter_key(), Test::Is(value.clone())));
        Filter::from_node(Node::And(parts.collect()))
    }

    /// The event with the bound keys filled in where it has none; `None` where nothing is to be filled in.
    pub(crate) fn bind<'e>(&'e self, event: &Event<'e>) -> Result<Option<Event<'e>>, Refusal> {
        let mut bound = None;
        for (key, value) in &self.bound {
            let given = match key {
                BoundKey::Source if event.source == NO_SOURCE => None,
                BoundKey::Source => Some(&event.source),
                BoundKey::Agent => event.agent.as_ref(),
                BoundKey::Session => event.session.as_ref(),
                BoundKey::User => event.user.as_ref(),
                BoundKey::Tier => event.tier.as_ref(),
            };
            match given {
                Some(given) if given == value => {}
                Some(given) => return Err(not_allowed(*key, given, value)),
                None => fill(bound.get_or_insert_with(|| event.clone()), *key, value),
            }
        }
        Ok(bound)
    }
}

fn fill<'e>(event: &mut Event<'e>, key: BoundKey, value: &'e str) {
    let value = Cow::Borrowed(value);
    match key {
        BoundKey::Source => event.source = value,
        BoundKey::Agent => event.agent = Some(value),
        BoundKey::Session => event.session = Some(value),
        BoundKey::User => event.user = Some(value),
        BoundKey::Tier => event.tier = Some(value),
    }
}

fn not_allowed(key: BoundKey, given: &str, bound: &str) -> Refusal {
    let key = key.as_str();
    Refusal::new(
        "not_allowed",
        format!(
            "this token may only write events whose {key} is \"{bound}\", not \"{given}\"; leave {key} out or use another token"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(scopes: &[Scope]) -> Principal {
        Principal {
            name: "someone".into(),
            scopes: scopes.to_vec(),
            bound: BTreeMap::new(),
        }
    }

    fn bound(pairs: &[(BoundKey, &str)]) -> Principal {
        Principal {
            bound: pairs.iter().map(|(key, value)| (*key, (*value).into())).collect(),
            ..with(&[Scope::Emit])
        }
    }

    #[test]
    fn admin_may_everything_and_manage_everything_but_admin() {
        let all = [Scope::Emit, Scope::Read, Scope::Manage, Scope::Admin];
        assert_eq!(all.map(|scope| with(&[Scope::Admin]).may(scope)), [true; 4]);
        assert_eq!(
            all.map(|scope| with(&[Scope::Manage]).may(scope)),
            [true, true, true, false]
        );
        assert_eq!(
            all.map(|scope| with(&[Scope::Emit]).may(scope)),
            [true, false, false, false]
        );
        assert_eq!(
            all.map(|scope| with(&[Scope::Read]).may(scope)),
            [false, true, false, false]
        );
        assert!(!with(&[]).may(Scope::Read));
    }

    #[test]
    fn a_bound_key_is_filled_in_where_absent() {
        let principal = bound(&[(BoundKey::Source, "lab"), (BoundKey::Agent, "planner")]);
        let event = Event::new("a.b", NO_SOURCE);
        let event = principal.bind(&event).expect("nothing differs");
        let event = event.expect("both are filled in");
        assert_eq!(event.source, "lab");
        assert_eq!(event.agent.as_deref(), Some("planner"));
        assert!(principal.bind(&event).expect("the same").is_none());
    }

    #[test]
    fn a_bound_key_with_another_value_is_not_allowed() {
        let principal = bound(&[(BoundKey::User, "ann")]);
        let mut event = Event::new("a.b", "s");
        event.user = Some("bob".into());
        let refusal = principal.bind(&event).expect_err("bob is not ann");
        assert_eq!(refusal.code, "not_allowed");
        assert!(refusal.message.contains("\"ann\"") && refusal.message.contains("\"bob\""));
    }
}
