//! `[auth.jwt]`: whose tokens are accepted, and which of their claims say what.
//!
//! Invariant: there are tokens only where issuer, audience and keys are all named; the part of it that is missing is
//! refused rather than guessed.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::config::parse;
use crate::config::section::{Reported, Section};

/// Whose tokens are accepted.
#[derive(Debug, Clone)]
pub struct Jwt {
    /// What `iss` must be.
    pub issuer: String,
    /// What `aud` must be, or hold.
    pub audience: String,
    /// Where the issuer's public keys are.
    pub jwks: Jwks,
    /// The claim with the tenants.
    pub tenants_claim: String,
    /// The claim with the scopes.
    pub scopes_claim: String,
    /// How much the issuer's clock may differ from ours.
    pub leeway: Duration,
}

/// Where an issuer's public keys are.
#[derive(Debug, Clone)]
pub enum Jwks {
    /// HTTPS, or a loopback host.
    Url(Url),
    /// A file that somebody else keeps up to date.
    File(PathBuf),
}

const LEEWAY: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_mins(5);

/// The keys that turn tokens on.
const WANTED: [&str; 4] = ["issuer", "audience", "jwks_url", "jwks_file"];

impl Jwt {
    pub(super) fn read(mut section: Section<'_, '_>) -> Result<Option<Self>, Reported> {
        let issuer = section.optional("issuer", parse::name);
        let audience = section.optional("audience", parse::name);
        let url = section.optional("jwks_url", parse::document_url);
        let file = section.optional("jwks_file", parse::path);
        let tenants_claim = section.required("tenants_claim", parse::name);
        let scopes_claim = section.required("scopes_claim", parse::name);
        let too_long = "clocks that differ more are wrong, and an expired token would live on";
        let leeway = section.required("leeway", parse::duration(LEEWAY, too_long));

        let Some(wanted) = WANTED.into_iter().find(|name| section.has(name)) else {
            return Ok(None);
        };
        let needs = |section: &mut Section<'_, '_>, missing: &str| {
            section.refuse(wanted, &format!("needs {missing} beside it: a token could not be judged without"))
        };
        let issuer = issuer?.ok_or_else(|| needs(&mut section, "`auth.jwt.issuer`"));
        let audience = audience?.ok_or_else(|| needs(&mut section, "`auth.jwt.audience`"));
        let jwks = match (url?, file?) {
            (Some(url), None) => Ok(Jwks::Url(url)),
            (None, Some(file)) => Ok(Jwks::File(file)),
            (Some(_), Some(_)) => {
                Err(section.refuse("jwks_file", "`jwks_url` is given as well; keep one of them"))
            }
            (None, None) => Err(needs(&mut section, "`auth.jwt.jwks_url` or `auth.jwt.jwks_file`")),
        };
        Ok(Some(Self {
            issuer: issuer?,
            audience: audience?,
            jwks: jwks?,
            tenants_claim: tenants_claim?,
            scopes_claim: scopes_claim?,
            leeway: leeway?,
        }))
    }
}
