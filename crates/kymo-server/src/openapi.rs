//! `/openapi.json`: the list of routes as OpenAPI 3.1. The checked-in `openapi.json` is compared with it by a test.
use std::sync::OnceLock;

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use crate::{
    error::{ApiError, CODES},
    routes::{ROUTES, Route},
};

/// Codes that every route with a scope can answer.
const ALWAYS: &[&str] = &["unauthorized", "forbidden", "bad_host", "bad_origin", "internal"];

/// The handler.
pub(crate) async fn serve() -> Response {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(text);
    ([(header::CONTENT_TYPE, "application/json")], text.as_str()).into_response()
}

/// The whole description, pretty-printed, with a final line feed.
fn text() -> String {
    let mut text = serde_json::to_string_pretty(&describe()).expect("a value is JSON");
    text.push('\n');
    text
}

fn describe() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = operation(route);
    }
    let schemas: Value =
        serde_json::from_str(include_str!("openapi/schemas.json")).expect("checked by a test");
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Kymo",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "A live event ledger: what is acknowledged is on disk, one number orders everything, and a reader resumes at cursor + 1 without gap or repeat.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "The owner's token is the file `token` of the data folder." },
            },
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "summary": route.title,
        "description": route.about,
        "operationId": operation_id(route),
        "responses": responses(route),
    });
    if let Some(scope) = route.scope {
        operation["security"] = json!([{ "token": [] }]);
        operation["x-scope"] = serde_json::to_value(scope).expect("a scope is JSON");
    }
    let parameters = parameters(route);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if !route.takes.is_empty() {
        operation["requestBody"] =
            json!({ "required": true, "content": content(route.takes.iter().copied()) });
    }
    operation
}

fn operation_id(route: &Route) -> String {
    let words = route.title.split(' ').map(|word| word.to_ascii_lowercase());
    words.collect::<Vec<_>>().join("_").replace(['-', '\''], "_")
}

fn parameters(route: &Route) -> Vec<Value> {
    let in_path = route
        .path
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next());
    let in_path = in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let in_query = route.parameters.iter().map(|parameter| {
        json!({
            "name": parameter.name,
            "in": "query",
            "description": parameter.about,
            "example": parameter.example,
            "schema": { "type": "string" },
        })
    });
    in_path.chain(in_query).collect()
}

fn content(kinds: impl Iterator<Item = (&'static str, &'static str)>) -> Value {
    let kinds = kinds.map(|(kind, schema)| {
        let schema = json!({ "schema": { "$ref": format!("#/components/schemas/{schema}") } });
        (kind.to_owned(), schema)
    });
    Value::Object(kinds.collect())
}

fn responses(route: &Route) -> Value {
    let mut responses = Map::new();
    for (status, kind, schema) in route.gives {
        let answer = responses
            .entry(status.to_string())
            .or_insert_with(|| json!({ "description": described(*status), "content": {} }));
        answer["content"][kind] = content([(*kind, *schema)].into_iter())[kind].take();
    }
    for (status, codes) in refusals(route) {
        let answer = responses
            .entry(status.to_string())
            .or_insert_with(|| json!({ "content": content([("application/json", "Error")].into_iter()) }));
        let known = answer["description"]
            .as_str()
            .map(|text| format!("{text}; or "))
            .unwrap_or_default();
        answer["description"] = format!("{known}{}", codes.join(", ")).into();
    }
    Value::Object(responses)
}

fn refusals(route: &Route) -> Vec<(u16, Vec<&'static str>)> {
    let mut by_status: Vec<(u16, Vec<&'static str>)> = Vec::new();
    let always = if route.scope.is_some() {
        ALWAYS
    } else {
        &["bad_host", "bad_origin"]
    };
    let parameter = if route.parameters.is_empty() {
        None
    } else {
        Some("invalid_parameter")
    };
    for code in parameter.iter().chain(route.refuses).chain(always) {
        let status = ApiError::new(code, "").status().as_u16();
        match by_status.iter_mut().find(|(known, _)| *known == status) {
            Some((_, codes)) => codes.push(code),
            None => by_status.push((status, vec![code])),
        }
    }
    by_status.sort_unstable_by_key(|(status, _)| *status);
    by_status
}

fn described(status: u16) -> &'static str {
    match status {
        101 => "the protocol is switched",
        201 => "made",
        202 => "begun",
        303 => "see the page",
        422 => "nothing was stored",
        _ => "good",
    }
}

/// Codes a reader can meet, for the docs page.
pub(crate) fn codes() -> impl Iterator<Item = (&'static str, u16, &'static str)> {
    CODES.iter().map(|code| (code.name, code.status, code.about))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checked_in_description_is_the_one_that_is_served() {
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(golden, text()).expect("the golden file");
        }
        let known = std::fs::read_to_string(golden).unwrap_or_default();
        assert!(
            known == text(),
            "the API changed: look at what `UPDATE_GOLDEN=1 cargo nextest run -p kymo-server openapi` makes of openapi.json"
        );
    }

    #[test]
    fn every_reference_leads_to_a_schema_and_every_schema_is_used() {
        let description = describe();
        let all = text();
        let schemas = description["components"]["schemas"].as_object().expect("schemas");
        for part in all.split("#/components/schemas/").skip(1) {
            let name = part.split('"').next().expect("a name");
            assert!(schemas.contains_key(name), "{name} is not described");
        }
        for name in schemas.keys() {
            assert!(
                all.contains(&format!("#/components/schemas/{name}\"")),
                "{name} is not used"
            );
        }
    }

    #[test]
    fn operations_have_ids_of_their_own() {
        let ids: std::collections::BTreeSet<_> = ROUTES.iter().map(operation_id).collect();
        assert_eq!(ids.len(), ROUTES.len());
    }
}
