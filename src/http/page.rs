//! The pages, from inside the binary: the front page, GraphiQL, and the schema as text.
//!
//! Invariants: nothing is fetched from anywhere else, and the browser is told so; a file whose name holds its hash
//! is kept for ever, any other is asked for again. Not here: the pages themselves, which `web/` builds.

use std::fmt::Write;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{
        ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
        IF_NONE_MATCH, REFERRER_POLICY, VARY, X_FRAME_OPTIONS,
    },
};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::edge::{Exchange, Served};

/// What Vite built.
#[derive(RustEmbed)]
#[folder = "web/dist"]
#[allow_missing = true]
struct Built;

/// What the pages are told.
#[derive(Debug, Clone)]
pub struct Site {
    /// What GraphiQL fills in by itself; only in the demo, whose key opens nothing real.
    pub demo: Option<Demo>,
    /// Whether GraphiQL is there at all.
    pub graphiql: bool,
    /// The schema as text.
    pub sdl: Bytes,
}

/// A key for whoever opens the demo.
#[derive(Debug, Clone)]
pub struct Demo {
    /// The key.
    pub api_key: String,
    /// A tenant that it sees.
    pub tenant_id: String,
}

/// Scripts, workers, styles and sockets of this host only. Monaco writes its styles inline and its icons as data.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

const HTML_HEADERS: [(HeaderName, HeaderValue); 5] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=()"),
    ),
];

const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

const NOT_BUILT: &str = "The pages are not in this binary: run `make web`, then build again.\n";

/// `/`
pub(super) async fn index(exchange: Exchange) -> Served {
    page(&exchange, "index.html").into()
}

/// `/graphiql`
pub(super) async fn graphiql(exchange: Exchange) -> Served {
    page(&exchange, "graphiql.html").into()
}

/// `/assets/…`
pub(super) async fn asset(exchange: Exchange) -> Served {
    if let Some(refused) = refuse_method(exchange.request.method()) {
        return refused.into();
    }
    let path = exchange.request.uri().path().trim_start_matches('/');
    // Where the files are read from disk, as in a debug build, this would climb out of their folder.
    let climbs = path.split('/').any(|part| part == "..");
    let Some(file) = Built::get(path).filter(|_| !climbs) else {
        return text(StatusCode::NOT_FOUND, "There is no such file.\n").into();
    };
    // Compressed once, when the pages were built: compressing anew for whoever asks would let a stranger keep us busy.
    let small = Built::get(&format!("{path}.gz")).filter(|_| takes_gzip(exchange.request.headers()));
    let is_small = small.is_some();
    let mut response = Response::new(body(small.unwrap_or(file)));
    let headers = response.headers_mut();
    if is_small {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(CONTENT_TYPE, content_type(path));
    headers.insert(CACHE_CONTROL, FOR_EVER);
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    response.into()
}

/// Whether the caller reads gzip. Every browser does; what asks for `gzip;q=0` does not.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|it| it.to_str().ok());
    accepted.flat_map(|it| it.split(',')).any(|it| {
        let (name, weight) = it.split_once(';').unwrap_or((it, ""));
        let refused =
            weight.trim().strip_prefix("q=").is_some_and(|it| it.trim_matches(['0', '.']).is_empty());
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

/// `/graphiql/config.json`
pub(super) async fn config(exchange: Exchange) -> Served {
    if let Some(refused) = refuse_method(exchange.request.method()) {
        return refused.into();
    }
    let demo = exchange.state.site.demo.as_ref();
    let config = serde_json::json!({
        "demo": demo.map(|it| serde_json::json!({ "apiKey": it.api_key, "tenantId": it.tenant_id })),
        "explorer": exchange.state.site.graphiql,
        "version": env!("CARGO_PKG_VERSION"),
    });
    let mut response = Response::new(Body::from(config.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.into()
}

/// `/schema.graphql`
pub(super) async fn schema(exchange: Exchange) -> Served {
    if let Some(refused) = refuse_method(exchange.request.method()) {
        return refused.into();
    }
    let mut response = text(StatusCode::OK, "");
    *response.body_mut() = Body::from(exchange.state.site.sdl.clone());
    response.headers_mut().insert(CACHE_CONTROL, REVALIDATE);
    response.into()
}

/// Any other path.
pub(super) async fn not_found(_exchange: Exchange) -> Served {
    text(
        StatusCode::NOT_FOUND,
        "There is nothing here: the API is at /graphql, its schema at /schema.graphql.\n",
    )
    .into()
}

fn page(exchange: &Exchange, name: &str) -> Response {
    if let Some(refused) = refuse_method(exchange.request.method()) {
        return refused;
    }
    let Some(file) = Built::get(name) else { return text(StatusCode::NOT_FOUND, NOT_BUILT) };
    let tag = etag(&file);
    let mut response = if is_known(exchange.request.headers(), &tag) {
        let mut unchanged = Response::new(Body::empty());
        *unchanged.status_mut() = StatusCode::NOT_MODIFIED;
        unchanged
    } else {
        Response::new(body(file))
    };
    let headers = response.headers_mut();
    headers.extend(HTML_HEADERS);
    headers.insert(CONTENT_TYPE, content_type(name));
    headers.insert(CACHE_CONTROL, REVALIDATE);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    response
}

fn refuse_method(method: &Method) -> Option<Response> {
    if matches!(*method, Method::GET | Method::HEAD) {
        return None;
    }
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "This is only to be read: use GET.\n");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    Some(response)
}

fn text(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn body(file: EmbeddedFile) -> Body {
    Body::from(match file.data {
        std::borrow::Cow::Borrowed(embedded) => Bytes::from_static(embedded),
        std::borrow::Cow::Owned(read) => Bytes::from(read),
    })
}

fn etag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    let mut tag = String::from("\"");
    for byte in hash.iter().take(16) {
        // Writing to a string cannot fail.
        let _infallible = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    // A proxy that compresses makes a strong tag weak.
    let bare = |it: &str| it.trim().trim_start_matches("W/").to_owned();
    let known = headers.get(IF_NONE_MATCH).and_then(|it| it.to_str().ok());
    known.is_some_and(|it| it.split(',').any(|it| it.trim() == "*" || bare(it) == bare(tag)))
}

fn content_type(name: &str) -> HeaderValue {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    HeaderValue::from_static(match extension {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "ttf" => "font/ttf",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_that_has_the_page_is_told_so_in_every_spelling() {
        let mut headers = HeaderMap::new();
        assert!(!is_known(&headers, "W/\"ab\""));
        for (known, same) in
            [("W/\"ab\"", true), ("\"ab\"", true), ("\"x\", W/\"ab\"", true), ("*", true), ("\"a\"", false)]
        {
            headers.insert(IF_NONE_MATCH, HeaderValue::from_static(known));
            assert_eq!(is_known(&headers, "W/\"ab\""), same, "{known}");
        }
    }

    #[test]
    fn only_who_reads_gzip_gets_it() {
        for (accepted, takes) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5, br", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("br", false),
            ("identity", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accepted));
            assert_eq!(takes_gzip(&headers), takes, "{accepted}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn scripts_and_styles_have_the_types_that_nosniff_needs() {
        assert_eq!(content_type("assets/a.b-1c2d.js"), "text/javascript; charset=utf-8");
        assert_eq!(content_type("assets/a.css"), "text/css; charset=utf-8");
        assert_eq!(content_type("LICENSE"), "application/octet-stream");
    }
}
