//! The web page, embedded at build time: hashed names are cached for ever. At a path where nothing is a person gets the
//! page with the status of an error, and the page says so.
use std::io::Read;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, Response, header},
    response::{Html, IntoResponse},
};

use crate::error::answers;

/// One file of the page.
struct File {
    path: &'static str,
    tag: &'static str,
    is_gzip: bool,
    bytes: &'static [u8],
}

/// Made by `build.rs`; empty if the page was not built.
static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// What a page of ours may load: itself. Styles are set from code by the page's components.
pub(crate) const POLICY: [(HeaderName, &str); 1] = [(
    header::CONTENT_SECURITY_POLICY,
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; \
     object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
)];

/// The page at `/`, a file at its path; elsewhere the page as it says that nothing is there, or `None` where a program
/// asks for a file.
pub(crate) fn serve(path: &str, headers: &HeaderMap) -> Option<Response<Body>> {
    let path = path.trim_start_matches('/');
    if path.is_empty() {
        return Some(page(headers));
    }
    if let Some(file) = find(path) {
        return Some(file.serve(headers));
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    if path.starts_with("assets/") || last.contains('.') {
        return None;
    }
    // Whole, whatever the browser has: an answer that something is not there is not kept.
    let whole: HeaderMap = headers
        .get(header::ACCEPT_ENCODING)
        .map(|coding| (header::ACCEPT_ENCODING, coding.clone()))
        .into_iter()
        .collect();
    let mut answer = page(&whole);
    answer.headers_mut().remove(header::ETAG);
    let keep = HeaderValue::from_static("no-store");
    answer.headers_mut().insert(header::CACHE_CONTROL, keep);
    *answer.status_mut() = answers::NOT_THERE;
    Some(answer)
}

fn page(headers: &HeaderMap) -> Response<Body> {
    match find("index.html") {
        Some(index) => index.serve(headers),
        None => (POLICY, Html(include_str!("page/plain.html"))).into_response(),
    }
}

fn find(path: &str) -> Option<&'static File> {
    FILES
        .binary_search_by(|file| file.path.cmp(path))
        .ok()
        .map(|index| &FILES[index])
}

impl File {
    fn serve(&self, headers: &HeaderMap) -> Response<Body> {
        if headers
            .get(header::IF_NONE_MATCH)
            .is_some_and(|tag| tag == self.tag)
        {
            // A browser takes the headers of this answer over into what it keeps: without the page's own policy the
            // one for data would take its place, and a reload would show nothing.
            return (answers::UNCHANGED, POLICY).into_response();
        }
        let is_named_by_content = self.path.starts_with("assets/");
        let cache = if is_named_by_content {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        };
        let (body, is_gzip) = self.body(accepts_gzip(headers));
        let mut response = (
            POLICY,
            [
                (header::CONTENT_TYPE, content_type(self.path)),
                (header::CACHE_CONTROL, cache),
            ],
            [(header::ETAG, self.tag), (header::VARY, "Accept-Encoding")],
            body,
        )
            .into_response();
        if is_gzip {
            response
                .headers_mut()
                .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }

    fn body(&self, accepts_gzip: bool) -> (Bytes, bool) {
        if !self.is_gzip || accepts_gzip {
            return (Bytes::from_static(self.bytes), self.is_gzip);
        }
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(self.bytes)
            .read_to_end(&mut plain)
            .expect("build.rs compressed it");
        (plain.into(), false)
    }
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("gzip") && weight.trim() != "q=0"
    })
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    const TEXT: &[u8] = b"console.log('hello')";

    fn compressed() -> &'static [u8] {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(TEXT).expect("memory");
        encoder.finish().expect("memory").leak()
    }

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[tokio::test]
    async fn a_compressed_file_is_given_to_those_who_take_it_and_inflated_for_the_others() {
        let file = File {
            path: "assets/a-1f2e.js",
            tag: "\"1f\"",
            is_gzip: true,
            bytes: compressed(),
        };
        let gzip = file.serve(&headers(header::ACCEPT_ENCODING, "br, gzip"));
        assert_eq!(gzip.headers()[header::CONTENT_ENCODING], "gzip");
        assert!(
            gzip.headers()[header::CACHE_CONTROL]
                .to_str()
                .expect("text")
                .contains("immutable")
        );
        let plain = file.serve(&headers(header::ACCEPT_ENCODING, "gzip;q=0"));
        assert_eq!(plain.headers().get(header::CONTENT_ENCODING), None);
        assert_eq!(
            plain.into_body().collect().await.expect("a body").to_bytes(),
            TEXT
        );
        let known = file.serve(&headers(header::IF_NONE_MATCH, "\"1f\""));
        assert_eq!(known.status(), answers::UNCHANGED);
        assert!(known.headers().contains_key(header::CONTENT_SECURITY_POLICY));
    }

    #[test]
    fn a_path_that_leads_nowhere_is_the_page_with_an_error_and_missing_files_are_missing() {
        let known = headers(header::IF_NONE_MATCH, "\"1f\"");
        for (path, status) in [
            ("/", axum::http::StatusCode::OK),
            ("/nope", answers::NOT_THERE),
            ("/events/42", answers::NOT_THERE),
        ] {
            let response = serve(path, &known).expect("the page");
            assert_eq!(response.status(), status, "{path}");
            assert_eq!(
                response.headers()[header::CONTENT_TYPE],
                "text/html; charset=utf-8",
                "{path}"
            );
        }
        let none = HeaderMap::new();
        for path in ["/assets/gone-123.js", "/robots.txt", "/.env"] {
            assert!(
                serve(path, &none).is_none() || find(path.trim_start_matches('/')).is_some(),
                "{path}"
            );
        }
    }
}
