//! Query parameters: only known names, each once (but `channels`), and a hint for what was probably meant.
use axum::{extract::Query, http::Uri};
use kymo_event::{Channel, Filter, dialects, dialects::Dialect};
use serde_json::json;

use crate::error::{ApiError, quote};

/// A query parameter of a route: drives reading, `openapi.json` and the docs page.
pub(crate) struct Parameter {
    /// The name in the URL.
    pub(crate) name: &'static str,
    /// What it does, in a sentence.
    pub(crate) about: &'static str,
    /// A value that works.
    pub(crate) example: &'static str,
}

/// `filter`, of every route that gives events.
pub(crate) const FILTER: Parameter = Parameter {
    name: "filter",
    about: "Which events; everything if absent.",
    example: "type:task.* level:>=warn",
};

/// `channels`, of the same.
pub(crate) const CHANNELS: Parameter = Parameter {
    name: "channels",
    about: "Names of simple filters, separated by commas or repeated; their union.",
    example: "agent:planner,global",
};

/// `dialect`, of the same.
pub(crate) const DIALECT: Parameter = Parameter {
    name: "dialect",
    about: "The form events are given in: kymo if absent.",
    example: "cloudevents",
};

/// `ledger`, where a seq may be sent.
pub(crate) const LEDGER: Parameter = Parameter {
    name: "ledger",
    about: "The ledger that seqs come from; said if it is another one than this.",
    example: "0198c2f0-6f1e-7c55-a1c1-3b6c2f6f0a11",
};

/// The parameters of a request.
#[derive(Debug)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a query string against what the route knows.
    pub(crate) fn parse(query: Option<&str>, known: &[Parameter]) -> Result<Self, ApiError> {
        let pairs = decoded(query)?;
        for (index, (name, _)) in pairs.iter().enumerate() {
            if known.iter().all(|parameter| parameter.name != name) {
                let names = known.iter().map(|parameter| parameter.name);
                return Err(unknown_name("parameter", name, names));
            }
            if name != "channels" && pairs[..index].iter().any(|(other, _)| other == name) {
                return Err(ApiError::parameter(
                    name,
                    format!("`{name}` stands twice; send it once"),
                ));
            }
        }
        Ok(Self(pairs))
    }

    /// The value of a parameter, if it was sent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// `filter`, or everything.
    pub(crate) fn filter(&self) -> Result<Filter, ApiError> {
        Ok(Filter::parse(self.get("filter").unwrap_or_default())?)
    }

    /// `channels`: separated by commas, or repeated.
    pub(crate) fn channels(&self) -> Result<Vec<Channel>, ApiError> {
        let values = self.0.iter().filter(|(name, _)| name == "channels");
        let names = values.flat_map(|(_, value)| value.split(',')).map(str::trim);
        channels(names.filter(|name| !name.is_empty()))
    }

    /// `dialect`, or none named.
    pub(crate) fn dialect(&self) -> Result<Option<&'static dyn Dialect>, ApiError> {
        self.get("dialect").map(dialect).transpose()
    }
}

/// The names and values of a query string.
pub(crate) fn decoded(query: Option<&str>) -> Result<Vec<(String, String)>, ApiError> {
    let Some(query) = query.filter(|query| !query.is_empty()) else {
        return Ok(vec![]);
    };
    let refused = || {
        let message = "the query string cannot be decoded; percent-encode its values";
        ApiError::new("invalid_parameter", message)
    };
    let uri: Uri = format!("/?{query}").parse().map_err(|_| refused())?;
    let Query(pairs) = Query::try_from_uri(&uri).map_err(|_| refused())?;
    Ok(pairs)
}

/// Channels of one reader at most.
const CHANNELS_MAX: usize = 512;

/// Channels by their names.
pub(crate) fn channels<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<Channel>, ApiError> {
    let channels: Vec<Channel> = names
        .take(CHANNELS_MAX + 1)
        .map(channel)
        .collect::<Result<_, _>>()?;
    if channels.len() > CHANNELS_MAX {
        let message =
            format!("a reader has at most {CHANNELS_MAX} channels; write a filter, or use several readers");
        return Err(ApiError::parameter("channels", message));
    }
    Ok(channels)
}

/// A channel by its name.
fn channel(name: &str) -> Result<Channel, ApiError> {
    Channel::parse(name).map_err(|error| {
        let at = error.at;
        ApiError::new("invalid_filter", format!("channel {name}: {error}"))
            .with_detail(json!({ "channel": quote(name), "at": at }))
    })
}

/// A dialect by its name.
pub(crate) fn dialect(name: &str) -> Result<&'static dyn Dialect, ApiError> {
    dialects::by_name(name).ok_or_else(|| {
        let known: Vec<_> = dialects::DIALECTS.iter().map(|dialect| dialect.name()).collect();
        ApiError::parameter(
            "dialect",
            format!("there is no dialect {name}; there are {}", known.join(", ")),
        )
    })
}

/// The refusal of an unknown name that says what was probably meant.
pub(crate) fn unknown_name(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'static str> + Clone,
) -> ApiError {
    // The search for what was meant takes memory by the length of what was said.
    let name = &*quote(name);
    let nearest = known
        .clone()
        .min_by_key(|candidate| strsim::damerau_levenshtein(candidate, name));
    let near =
        nearest.filter(|candidate| strsim::damerau_levenshtein(candidate, name) <= 1 + candidate.len() / 3);
    let hint = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => match known.collect::<Vec<_>>() {
            all if all.is_empty() => "there are none here".to_owned(),
            all => format!("known are {}", all.join(", ")),
        },
    };
    ApiError::parameter(name, format!("unknown {what} `{name}`; {hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Parameter] = &[
        Parameter {
            name: "filter",
            about: "",
            example: "",
        },
        Parameter {
            name: "channels",
            about: "",
            example: "",
        },
        Parameter {
            name: "limit",
            about: "",
            example: "",
        },
    ];

    fn refusal(query: &str) -> ApiError {
        Params::parse(Some(query), KNOWN).expect_err("a refusal")
    }

    #[test]
    fn values_are_decoded() {
        let params = Params::parse(Some("filter=type:a%20b+c&limit=5"), KNOWN).expect("parameters");
        assert_eq!(
            (params.get("filter"), params.get("limit")),
            (Some("type:a b c"), Some("5"))
        );
        assert_eq!(params.get("channels"), None);
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_nearest_known_one() {
        let error = refusal("fliter=x");
        assert_eq!(error.code, "invalid_parameter");
        assert!(
            error.message.contains("did you mean `filter`?"),
            "{}",
            error.message
        );
        assert!(
            refusal("zzzzzzzzz=1")
                .message
                .contains("known are filter, channels, limit")
        );
    }

    #[test]
    fn a_name_stands_once() {
        assert!(refusal("limit=1&limit=2").message.contains("twice"));
    }
}
