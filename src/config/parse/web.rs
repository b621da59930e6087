//! URLs and browser origins.

use std::net::IpAddr;

use url::{Host, Origin, Url};

use super::text;
use crate::config::node::Value;

/// Where an API begins: scheme, host and port alone, since we add the rest.
pub(in crate::config) fn base_url(value: &Value) -> Result<Url, String> {
    let url = public_url(value)?;
    if url.path() != "/" {
        return Err("must end after the host: paths are added to it".to_owned());
    }
    Ok(url)
}

/// Where others reach us: a path is allowed, for a proxy that serves us below one. Ends in `/`, so
/// that [`Url::join`] adds to it.
pub(in crate::config) fn public_url(value: &Value) -> Result<Url, String> {
    let mut url = http_url(value)?;
    refuse_plain(&url, "would show keys to the network")?;
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

/// Where one document is. It may have a query: some issuers need one.
pub(in crate::config) fn document_url(value: &Value) -> Result<Url, String> {
    let url = any_url(value)?;
    if url.fragment().is_some() {
        return Err("must not contain a fragment".to_owned());
    }
    refuse_plain(&url, "would let the network change the document")?;
    Ok(url)
}

/// What a browser calls a page's origin.
pub(in crate::config) fn origin(value: &Value) -> Result<Origin, String> {
    if text(value)? == "*" {
        return Err("must be one origin: to allow every page is to allow every page's author".to_owned());
    }
    let url = http_url(value)?;
    if url.path() != "/" {
        return Err("must end after the host, such as \"https://crm.example\"".to_owned());
    }
    Ok(url.origin())
}

fn refuse_plain(url: &Url, why: &str) -> Result<(), String> {
    if url.scheme() == "http" && !is_loopback(url) {
        return Err(format!("must begin with https:// (http:// {why}, and is for loopback hosts only)"));
    }
    Ok(())
}

fn http_url(value: &Value) -> Result<Url, String> {
    let url = any_url(value)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not contain a query or a fragment".to_owned());
    }
    Ok(url)
}

fn any_url(value: &Value) -> Result<Url, String> {
    let text = text(value)?;
    let url = Url::parse(text)
        .map_err(|error| format!("must be a URL, such as \"https://crm.example\": {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must begin with https://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain credentials: URLs end up in logs".to_owned());
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}
