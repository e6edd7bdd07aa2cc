//! `kymo token`: who may do what at the server.
use std::collections::BTreeMap;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{
    exit::Exit,
    failure::Failure,
    find::{self, Where},
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
            } => {
                let bound: BTreeMap<_, _> = bind.into_iter().collect();
                create(
                    &place,
                    &json!({ "name": name, "scopes": scopes, "bound": bound }),
                    json,
                )
            }
            What::List { json, place } => list(&place, json),
            What::Revoke { name, place } => revoke(&place, &name),
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

fn create(place: &Where, request: &Value, json: bool) -> Result<Exit, Failure> {
    let client = find::Place::find_settled(place)?.server()?;
    let made: Value = client.post("/api/v1/tokens", request)?;
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

fn list(place: &Where, json: bool) -> Result<Exit, Failure> {
    let client = find::Place::find_settled(place)?.server()?;
    let answer: Value = client.get("/api/v1/tokens", &[])?;
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

fn revoke(place: &Where, name: &str) -> Result<Exit, Failure> {
    let client = find::Place::find_settled(place)?.server()?;
    client.delete(&format!("/api/v1/tokens/{}", path_segment(name)))?;
    Printer::new().line(format!("revoked {name}"));
    Ok(Exit::Done)
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
