//! `/docs`: the list of routes for people, as one page that needs nothing else.
use std::{fmt::Write, sync::OnceLock};

use axum::response::{Html, IntoResponse, Response};

use crate::{
    openapi::codes,
    page::POLICY,
    routes::{ROUTES, Route},
    ws::ops::OPS,
};

/// The handler.
pub(crate) async fn serve() -> Response {
    static PAGE: OnceLock<String> = OnceLock::new();
    (POLICY, Html(PAGE.get_or_init(page).as_str())).into_response()
}

fn page() -> String {
    let mut contents = String::new();
    let mut sections = String::new();
    for route in ROUTES {
        let (anchor, name) = (anchor(route), heading(route));
        write(
            &mut contents,
            format_args!(
                "<li><a href=\"#{anchor}\">{name}</a> {}</li>\n",
                escaped(route.title)
            ),
        );
        section(route, &mut sections);
    }
    let mut refusals = String::new();
    for (code, status, about) in codes() {
        let about = prose(about);
        write(
            &mut refusals,
            format_args!("<tr><td><code>{code}</code></td><td>{status}</td><td>{about}</td></tr>\n"),
        );
    }
    let mut ops = String::new();
    for op in OPS {
        let (name, about, example) = (op.name, prose(op.about), escaped(op.example));
        let cells = format!("<td><code>{name}</code></td><td>{about}<br><code>{example}</code></td>");
        write(&mut ops, format_args!("<tr>{cells}</tr>\n"));
    }
    include_str!("page/docs.html")
        .replace("{{ops}}", &ops)
        .replace("{{version}}", env!("CARGO_PKG_VERSION"))
        .replace("{{contents}}", &contents)
        .replace("{{sections}}", &sections)
        .replace("{{codes}}", &refusals)
}

fn section(route: &Route, out: &mut String) {
    let (anchor, name) = (anchor(route), heading(route));
    write(out, format_args!("<section id=\"{anchor}\"><h2>{name}</h2>\n"));
    let scope = route.scope.map_or("for anybody".to_owned(), |scope| {
        format!("scope {scope:?}").to_lowercase()
    });
    write(
        out,
        format_args!(
            "<p class=\"title\">{} <span>{scope}</span></p>\n",
            escaped(route.title)
        ),
    );
    write(out, format_args!("<p>{}</p>\n", prose(route.about)));
    if !route.parameters.is_empty() {
        out.push_str("<table><tr><th>parameter</th><th>meaning</th><th>example</th></tr>\n");
        for parameter in route.parameters {
            let (about, example) = (prose(parameter.about), escaped(parameter.example));
            let name = parameter.name;
            write(
                out,
                format_args!(
                    "<tr><td><code>{name}</code></td><td>{about}</td><td><code>{example}</code></td></tr>\n"
                ),
            );
        }
        out.push_str("</table>\n");
    }
    let bodies = route
        .takes
        .iter()
        .map(|(kind, schema)| format!("takes <code>{kind}</code> ({schema})"));
    let answers = route
        .gives
        .iter()
        .map(|(status, kind, schema)| format!("{status} <code>{kind}</code> ({schema})"));
    let lines: Vec<String> = bodies.chain(answers).collect();
    write(
        out,
        format_args!("<p class=\"wire\">{}</p></section>\n", lines.join("<br>")),
    );
}

fn heading(route: &Route) -> String {
    format!(
        "<b class=\"{0}\">{0}</b> {1}",
        route.method.as_str(),
        escaped(route.path)
    )
}

fn anchor(route: &Route) -> String {
    let words = format!("{} {}", route.method.as_str(), route.path).to_lowercase();
    words
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Text in which back-ticks mark code.
fn prose(text: &str) -> String {
    let parts = escaped(text);
    let parts = parts.split('`').enumerate();
    parts
        .map(|(index, part)| {
            if index % 2 == 1 {
                format!("<code>{part}</code>")
            } else {
                part.to_owned()
            }
        })
        .collect()
}

fn write(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("memory takes every byte");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_every_route_and_code_and_needs_nothing_from_elsewhere() {
        let page = page();
        for route in ROUTES {
            assert!(
                page.contains(&format!("id=\"{}\"", anchor(route))),
                "{}",
                route.path
            );
        }
        for op in OPS {
            assert!(page.contains(&escaped(op.example)), "{}", op.name);
        }
        for (code, ..) in codes() {
            assert!(page.contains(code), "{code}");
        }
        assert!(
            !page.contains("{{")
                && !page.contains("src=")
                && !page.contains("http://")
                && !page.contains("https://")
        );
    }
}
