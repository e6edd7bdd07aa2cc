//! Where an agent is at work: the keys of the envelope that tell its strands apart, and that readers may be bound to.

use std::{borrow::Cow, fmt::Write};

use kymo_event::{LineView, filter::Key};
use serde::{Deserialize, Serialize};

use crate::{BoundKey, Principal};

/// An agent, and where it is at work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place<'a> {
    pub(super) agent: Cow<'a, str>,
    pub(super) source: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) session: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tier: Option<Cow<'a, str>>,
}

impl<'a> Place<'a> {
    /// That of an event; `None` where it names no agent.
    pub(super) fn of(view: &LineView<'a>) -> Option<Self> {
        let key = |key| view.key(key).filter(|value| !value.is_empty());
        Some(Self {
            agent: key(Key::Agent)?,
            source: view.source(),
            session: key(Key::Session),
            user: key(Key::User),
            tier: key(Key::Tier),
        })
    }

    pub(super) fn into_owned(self) -> Place<'static> {
        let owned = |text: Cow<'a, str>| Cow::Owned(text.into_owned());
        Place {
            agent: owned(self.agent),
            source: owned(self.source),
            session: self.session.map(owned),
            user: self.user.map(owned),
            tier: self.tier.map(owned),
        }
    }

    /// Makes `key` one text that no other place has: each part with its length before it.
    pub(super) fn write_key(&self, key: &mut String) {
        key.clear();
        let parts = [
            Some(&self.agent),
            Some(&self.source),
            self.session.as_ref(),
            self.user.as_ref(),
            self.tier.as_ref(),
        ];
        for part in parts {
            let written = match part {
                Some(part) => write!(key, "{}:{part}", part.len()),
                None => write!(key, "-"),
            };
            written.expect("memory takes every text");
        }
    }

    /// Whether a reader may see what is here.
    pub(super) fn is_for(&self, principal: &Principal) -> bool {
        principal.bound.iter().all(|(key, value)| {
            let own = match key {
                BoundKey::Source => Some(&self.source),
                BoundKey::Agent => Some(&self.agent),
                BoundKey::Session => self.session.as_ref(),
                BoundKey::User => self.user.as_ref(),
                BoundKey::Tier => self.tier.as_ref(),
            };
            own.is_some_and(|own| own == value)
        })
    }
}
