//! What a client asks for on connecting: in the address, and in `auth`, which goes before it.
//!
//! Names that mean nothing here are the application's own, and left alone.
use std::borrow::Cow;

use axum::{body::Body, http::Request};
use kymo_event::{Channel, Filter, RawJson, dialects, dialects::Dialect, json::Kind};

use crate::{
    error::ApiError,
    params::{channels, dialect},
};

/// Newest events at once, at most.
pub(crate) const NEWEST_MAX: usize = 1_000;

/// The dialect of those who ask for none.
const USUAL_DIALECT: &str = "broadcast";

/// What is asked for, as text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wishes {
    pub(crate) token: Option<String>,
    filter: Option<String>,
    channels: Option<Vec<String>>,
    dialect: Option<String>,
    catchup: Option<String>,
    pub(crate) recovery: bool,
    /// Who it was before, and the last it saw.
    pub(crate) pid: Option<String>,
    pub(crate) offset: Option<String>,
}

/// What a client looks at.
#[derive(Clone)]
pub(crate) struct View {
    pub(crate) filter: Filter,
    /// Their union; `None` is everything, and an empty list nothing.
    pub(crate) channels: Option<Vec<Channel>>,
    /// `None` is the native form.
    pub(crate) dialect: Option<&'static dyn Dialect>,
}

impl Wishes {
    /// What the address says. A token is not taken from it: addresses are logged.
    pub(crate) fn of_address(request: &Request<Body>) -> Self {
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(request.uri());
        let mut wishes = Self::default();
        for (name, value) in pairs.map(|pairs| pairs.0).unwrap_or_default() {
            match &*name {
                "filter" => wishes.filter = Some(value),
                "channels" => wishes.channels.get_or_insert_default().extend(split(&value)),
                "dialect" => wishes.dialect = Some(value),
                "catchup" => wishes.catchup = Some(value),
                "recovery" => wishes.recovery = is_yes(&value),
                _ => {}
            }
        }
        wishes
    }

    /// The same with what `auth` says.
    pub(crate) fn with_auth(&self, auth: Option<RawJson<'_>>) -> Result<Self, ApiError> {
        let mut wishes = self.clone();
        for member in auth.and_then(RawJson::members).into_iter().flatten() {
            let (Some(name), value) = (member.name(), member.value()) else {
                continue;
            };
            if value.kind() == Kind::Null {
                continue;
            }
            match &*name {
                "token" => wishes.token = Some(string(&name, value)?),
                "filter" => wishes.filter = Some(string(&name, value)?),
                "dialect" => wishes.dialect = Some(string(&name, value)?),
                "channels" => wishes.channels = Some(names(&name, value)?),
                "catchup" => wishes.catchup = Some(word(value).into_owned()),
                "recovery" => wishes.recovery = is_yes(&word(value)),
                "pid" => wishes.pid = Some(word(value).into_owned()),
                "offset" => wishes.offset = Some(word(value).into_owned()),
                _ => {}
            }
        }
        Ok(wishes)
    }

    /// What is to be looked at.
    pub(crate) fn view(&self) -> Result<View, ApiError> {
        let chosen = self.dialect.as_deref().map(dialect).transpose()?;
        let wanted = self.channels.as_ref().filter(|names| !names.is_empty());
        Ok(View {
            filter: Filter::parse(self.filter.as_deref().unwrap_or_default())?,
            channels: wanted
                .map(|names| channels(names.iter().map(String::as_str)))
                .transpose()?,
            dialect: chosen.or_else(|| dialects::by_name(USUAL_DIALECT)),
        })
    }

    /// How many of the newest are to be given first.
    pub(crate) fn catchup(&self, usual: usize) -> Result<usize, ApiError> {
        let Some(asked) = &self.catchup else {
            return Ok(usual.min(NEWEST_MAX));
        };
        let count: usize = asked
            .parse()
            .map_err(|_| ApiError::parameter("catchup", "`catchup` is a number of events, from 0 to 1000"))?;
        Ok(count.min(NEWEST_MAX))
    }
}

/// A string, or an array of them; a string may have commas.
pub(crate) fn names(name: &str, value: RawJson<'_>) -> Result<Vec<String>, ApiError> {
    match value.elements() {
        Some(elements) => elements.map(|element| string(name, element)).collect(),
        None => string(name, value).map(|list| split(&list).collect()),
    }
}

fn split(list: &str) -> impl Iterator<Item = String> {
    let names = list.split(',').map(str::trim);
    names.filter(|name| !name.is_empty()).map(str::to_owned)
}

pub(crate) fn string(name: &str, value: RawJson<'_>) -> Result<String, ApiError> {
    let text = value.as_string().map(Cow::into_owned);
    text.ok_or_else(|| ApiError::parameter(name, format!("`{name}` must be a string")))
}

/// A string as what it says, anything else as it stands.
fn word(value: RawJson<'_>) -> Cow<'_, str> {
    value.as_string().unwrap_or(Cow::Borrowed(value.as_str()))
}

fn is_yes(word: &str) -> bool {
    matches!(word, "1" | "true" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes(query: &str, auth: &str) -> Result<Wishes, ApiError> {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = format!("/socket.io/?EIO=4&{query}").parse().expect("an address");
        let auth = Some(auth).filter(|auth| !auth.is_empty());
        Wishes::of_address(&request).with_auth(auth.map(RawJson::trusted))
    }

    #[test]
    fn auth_goes_before_the_address_and_what_is_not_ours_is_left_alone() {
        let wishes = wishes(
            "filter=type:a&channels=agent:x,b&recovery=1&catchup=7&mine=1&token=no",
            r#"{"filter":"type:b","token":"t","whatever":[1],"catchup":9,"dialect":null}"#,
        )
        .expect("wishes");
        assert_eq!(wishes.token.as_deref(), Some("t"));
        assert_eq!(wishes.catchup(50).expect("a number"), 9);
        assert!(wishes.recovery);
        let view = wishes.view().expect("a view");
        assert_eq!(view.filter, Filter::parse("type:b").expect("a filter"));
        assert_eq!(view.channels.map(|channels| channels.len()), Some(2));
    }

    #[test]
    fn a_token_is_not_taken_from_an_address() {
        assert_eq!(wishes("token=kymo_x", "").expect("wishes").token, None);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let refused = |auth: &str| {
            let wishes = wishes("", auth)?;
            wishes.view()?;
            wishes.catchup(50).map(drop)
        };
        let cases = [
            (r#"{"token":1}"#, "invalid_parameter"),
            (r#"{"filter":"level:>=loud"}"#, "invalid_filter"),
            (r#"{"channels":["agent:"]}"#, "invalid_filter"),
            (r#"{"channels":[1]}"#, "invalid_parameter"),
            (r#"{"dialect":"klingon"}"#, "invalid_parameter"),
            (r#"{"catchup":"many"}"#, "invalid_parameter"),
        ];
        for (auth, code) in cases {
            assert_eq!(refused(auth).map_err(|error| error.code), Err(code), "{auth}");
        }
    }

    #[test]
    fn no_channels_are_everything() {
        for auth in ["", r#"{"channels":[]}"#, r#"{"channels":""}"#] {
            let view = wishes("", auth).expect("wishes").view().expect("a view");
            assert_eq!(view.channels, None);
        }
    }
}
