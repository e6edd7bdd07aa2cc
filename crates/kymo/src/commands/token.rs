//! `kymo token`: who may do what at the server.
use std::collections::BTreeMap;

use clap::Subcommand;
use kymo_server::{TokenError, TokenStore};
use serde_json::{Value, json};

use crate::{
    client::Client,
    exit::Exit,
    failure::Failure,
    find::{self, Place, State, Where},
    moment::now,
    printer::{BOLD, DIM, Printer},
};

const EXAMPLES: &str = "\
Examples:
  kymo token show                                             the owner's token
  kymo token create --name ci --scope emit --bind source=ci   may only write, and only as ci
  kymo token create --name board --scope read --bind user=ada
  kymo token list
  kymo token revoke ci";

/// Arguments of `token`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Print the owner's token (no server needed)
    Show {
        #[command(flatten)]
        place: Where,
    },
    /// Make a token; it is printed once and kept by nobody
    Create {
        /// Its name, for lists and for revoking it
        #[arg(long, value_name = "NAME")]
        name: String,
        /// What it may do (repeatable); manage and admin include what is below them
        #[arg(long = "scope", value_name = "SCOPE", required = true, value_delimiter = ',', value_parser = ["emit", "read", "manage", "admin"])]
        scopes: Vec<String>,
        /// A key that everything it writes and reads has: source, agent, session, user or tier (repeatable)
        #[arg(long, value_name = "KEY=VALUE", value_parser = parse_bound)]
        bind: Vec<(String, String)>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Where,
    },
    /// List tokens (never the tokens themselves)
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Where,
    },
    /// Take a token back
    Revoke {
        /// Its name
        name: String,
        #[command(flatten)]
        place: Where,
    },
}

const BOUND_KEYS: [&str; 5] = ["source", "agent", "session", "user", "tier"];

fn parse_bound(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` binds nothing; write KEY=VALUE"))?;
    if !BOUND_KEYS.contains(&key) || value.is_empty() {
        return Err(format!(
            "`{key}` cannot be bound; keys are {}",
            BOUND_KEYS.join(", ")
        ));
    }
    Ok((key.to_owned(), value.to_owned()))
}

impl Args {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        match self.what {
            What::Show { place } => show(&place),
            What::Create {
                name,
                scopes,
                bind,
                json,
                place,
            } => create(&Keeper::find(&place)?, &name, &scopes, bind, json),
            What::List { json, place } => list(&Keeper::find(&place)?, json),
            What::Revoke { name, place } => {
                Keeper::find(&place)?.revoke(&name)?;
                Printer::new().line(format!("revoked {name}"));
                Ok(Exit::Done)
            }
        }
    }
}

fn show(place: &Where) -> Result<Exit, Failure> {
    let data = find::data_folder(place.data.as_deref())?;
    let token = find::owner_token(&data).ok_or_else(|| {
        Failure::failed(format!("{} has no token yet", data.display()))
            .code("not_found")
            .hint("the first `kymo up` or `kymo serve` makes it")
    })?;
    Printer::new().line(token);
    Ok(Exit::Done)
}

/// Who keeps the tokens: the server where one runs, else the folder's file.
enum Keeper {
    Server(Client),
    Folder(TokenStore),
}

impl Keeper {
    fn find(place: &Where) -> Result<Self, Failure> {
        let found = Place::find_settled(place)?;
        if matches!(found.state, State::Free) && found.data.join("token").is_file() {
            let store = TokenStore::open(&found.data);
            return store
                .map(Self::Folder)
                .map_err(|cause| Failure::disk("read", &found.data.join("tokens.json"), &cause));
        }
        found.server().map(Self::Server)
    }

    fn create(
        &self,
        name: &str,
        scopes: &[String],
        bound: &BTreeMap<String, String>,
    ) -> Result<Value, Failure> {
        let request = json!({ "name": name, "scopes": scopes, "bound": bound });
        match self {
            Self::Server(client) => Ok(client.post("/api/v1/tokens", &request)?),
            Self::Folder(store) => {
                let scopes = serde_json::from_value(request["scopes"].clone()).expect("scopes were checked");
                let bound = serde_json::from_value(request["bound"].clone()).expect("keys were checked");
                let token = store
                    .create(name, scopes, bound, now())
                    .map_err(|error| not_made(&error))?;
                Ok(json!({ "token": token, "name": name }))
            }
        }
    }

    fn list(&self) -> Result<Value, Failure> {
        match self {
            Self::Server(client) => Ok(client.get("/api/v1/tokens", &[])?),
            Self::Folder(store) => {
                let mut tokens = serde_json::to_value(store.list()).expect("tokens become JSON");
                for token in tokens.as_array_mut().into_iter().flatten() {
                    token.as_object_mut().map(|token| token.remove("hash"));
                }
                Ok(json!({ "tokens": tokens }))
            }
        }
    }

    fn revoke(&self, name: &str) -> Result<(), Failure> {
        match self {
            Self::Server(client) => Ok(client.delete(&format!("/api/v1/tokens/{}", path_segment(name)))?),
            Self::Folder(store) => match store.revoke(name) {
                Ok(true) => Ok(()),
                Ok(false) => {
                    Err(Failure::failed(format!("there is no token named {name}")).code("not_found"))
                }
                Err(cause) => Err(Failure::failed(format!(
                    "tokens.json could not be written: {cause}"
                ))),
            },
        }
    }
}

fn not_made(error: &TokenError) -> Failure {
    let failure = Failure::failed(error.to_string());
    match error {
        TokenError::NameTaken { .. } => failure.code("name_taken"),
        TokenError::Io(cause) => Failure::failed(format!("{error}: {cause}")),
        _ => failure.code("invalid_body"),
    }
}

fn create(
    keeper: &Keeper,
    name: &str,
    scopes: &[String],
    bind: Vec<(String, String)>,
    json: bool,
) -> Result<Exit, Failure> {
    let made = keeper.create(name, scopes, &bind.into_iter().collect())?;
    let mut printer = Printer::new();
    if json {
        printer.json(&made);
    } else {
        printer.line(made["token"].as_str().unwrap_or_default());
        printer.flush();
        crate::printer::note("shown this once; keep it where only its user can read it");
    }
    Ok(Exit::Done)
}

fn list(keeper: &Keeper, json: bool) -> Result<Exit, Failure> {
    let answer = keeper.list()?;
    let mut printer = Printer::new();
    if json {
        printer.json(&answer);
        return Ok(Exit::Done);
    }
    let tokens = answer["tokens"].as_array().cloned().unwrap_or_default();
    if tokens.is_empty() {
        printer.line("no tokens besides the owner's");
    }
    for token in &tokens {
        printer.line(row(token));
    }
    Ok(Exit::Done)
}

fn row(token: &Value) -> String {
    let scopes: Vec<_> = token["scopes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let bound: Vec<_> = token["bound"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    format!(
        "{BOLD}{:<16}{BOLD:#} {:<20} {:<24} {DIM}{}{DIM:#}",
        token["name"].as_str().unwrap_or_default(),
        scopes.join(","),
        bound.join(" "),
        token["created"].as_str().unwrap_or_default()
    )
}

/// A name as one segment of a path.
fn path_segment(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_segment_of_a_path() {
        assert_eq!(path_segment("ci-1"), "ci-1");
        assert_eq!(path_segment("a/b ü"), "a%2Fb%20%C3%BC");
    }

    #[test]
    fn only_keys_that_can_be_bound_are_taken() {
        assert_eq!(parse_bound("source=ci"), Ok(("source".into(), "ci".into())));
        assert!(parse_bound("type=x").is_err());
        assert!(parse_bound("source=").is_err());
    }
}
