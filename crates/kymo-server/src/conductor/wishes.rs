//! What the address of a client says: channels, its user, and perhaps a filter. What else stands there is not ours.
use kymo_event::{Channel, Filter, Limits};
use kymo_hub::Scope;

use crate::{auth::Caller, error::ApiError, params};

/// What Kymo says of itself is no part of the conductor's system; who asks for it by a filter is given it.
const USUAL: &str = "-type:kymo.*";

/// What a client wants.
#[derive(Debug)]
pub(super) struct Wishes {
    pub(super) channels: Vec<Channel>,
    pub(super) filter: Filter,
    /// Whose events it sends.
    pub(super) user: Option<String>,
    /// Whether it is given events.
    pub(super) reads: bool,
}

impl Wishes {
    pub(super) fn of(query: Option<&str>, caller: &Caller) -> Result<Self, ApiError> {
        let pairs = params::decoded(query)?;
        let values = |names: &'static [&str]| {
            let named = pairs
                .iter()
                .filter(move |(name, _)| names.contains(&name.as_str()));
            named.map(|(_, value)| value.as_str())
        };
        let names = values(&["channel", "channels"])
            .flat_map(|list| list.split(','))
            .map(str::trim);
        let channels = params::channels(names.filter(|name| !name.is_empty()))?;
        let filter = values(&["filter"]).next_back().unwrap_or(USUAL);
        let user = values(&["userId"]).next_back().filter(|user| !is_nobody(user));
        let longest = Limits::default().id_bytes_max;
        if user.is_some_and(|user| user.len() > longest) {
            let message = format!("`userId` has at most {longest} bytes");
            return Err(ApiError::parameter("userId", message));
        }
        Ok(Self {
            filter: Filter::parse(filter)?,
            user: user.map(str::to_owned),
            reads: caller.principal.may(Scope::Read),
            channels,
        })
    }

    /// The names of its channels; the one that has all if it named none.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let global = self.channels.is_empty().then_some("global");
        global.into_iter().chain(self.channels.iter().map(Channel::name))
    }
}

/// What a page makes of a user it does not know.
fn is_nobody(user: &str) -> bool {
    ["", "undefined", "null"].contains(&user)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes(query: &str) -> Result<Wishes, &'static str> {
        Wishes::of(Some(query), &Caller::anonymous(vec![Scope::Read])).map_err(|error| error.code)
    }

    fn names(query: &str) -> Vec<String> {
        let wishes = wishes(query).expect("an address that can be read");
        wishes.names().map(str::to_owned).collect()
    }

    #[test]
    fn channels_are_a_list_and_not_one_name() {
        assert_eq!(
            names("channel=global,memory,marketplace&userId=u"),
            ["global", "memory", "marketplace"]
        );
        assert_eq!(names("channel=a&channel=user:egor"), ["a", "user:egor"]);
        assert_eq!(names("channel=,%20,"), ["global"]);
        assert_eq!(names("token=x&v=3"), ["global"]);
        let union = wishes("channel=memory,tier:gold").expect("good").channels;
        assert_eq!(
            Channel::union(&union),
            Filter::parse("source:memory OR tier:gold").expect("good")
        );
    }

    #[test]
    fn a_user_that_a_page_did_not_know_is_none() {
        for query in ["", "userId=", "userId=undefined", "userId=null"] {
            assert_eq!(wishes(query).expect("good").user, None, "{query}");
        }
        assert_eq!(wishes("userId=egor").expect("good").user.as_deref(), Some("egor"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert_eq!(wishes("channel=agnet:x").err(), Some("invalid_filter"));
        assert_eq!(wishes("filter=(").err(), Some("invalid_filter"));
        let many = vec!["c"; 5_000].join(",");
        assert_eq!(
            wishes(&format!("channel={many}")).err(),
            Some("invalid_parameter")
        );
        let long = "u".repeat(300);
        assert_eq!(wishes(&format!("userId={long}")).err(), Some("invalid_parameter"));
    }
}
