//! Tokens: JSON Web Tokens that the operator's issuer signed for this gateway.
//!
//! Invariants: a token's own words decide nothing before its signature has been found good, but for which key to try;
//! what was verified counts until the token ends or the issuer's keys change, whichever is first. Not here: what a
//! token says of its bearer, and where the keys come from.

use std::{fmt, sync::Arc, time::Duration};

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, Header, Validation, crypto::aws_lc, errors::ErrorKind};
use moka::sync::Cache;
use tokio::time::Instant;

pub use super::issuer::Place;
use super::{
    Admission, Digest,
    claims::{Claims, Reading, Said},
    issuer::Issuer,
    jwks::Key,
};
use crate::{
    clock::{Clock, between},
    domain::Viewer,
};

/// Bytes of a token. Proxies commonly refuse a header of more.
const LONGEST: usize = 8 * 1024;

/// Verified tokens that are remembered, the least used forgotten first: some megabytes, and a sales floor ten times
/// over. A token that is forgotten is verified again.
const REMEMBERED: u64 = 10_000;

/// Whose tokens are accepted, and how they are read.
#[derive(Debug, Clone)]
pub struct Config {
    /// What `iss` must be.
    pub issuer: String,
    /// What `aud` must be, or hold.
    pub audience: String,
    /// Where the issuer's keys are.
    pub keys: Place,
    /// The claim with the tenants.
    pub tenants_claim: String,
    /// The claim with the scopes.
    pub scopes_claim: String,
    /// How much the issuer's clock may differ from ours.
    pub leeway: Duration,
}

/// Why a token was refused: for the log, and for nobody who sent one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("it is no JSON Web Token")]
    NotAToken,
    #[error("it is longer than 8 KiB")]
    TooLong,
    #[error("it is signed in a way that is not accepted")]
    Algorithm,
    #[error("it needs an extension that is not known")]
    Critical,
    #[error("no key of the issuer fits")]
    UnknownKey,
    #[error("its signature is wrong")]
    Signature,
    #[error("it is not from the issuer, or does not say whom it is from")]
    Issuer,
    #[error("it is not for this audience, or does not say whom it is for")]
    Audience,
    #[error("it has expired, or does not say when it does")]
    Expired,
    #[error("it is not valid yet")]
    NotYet,
    #[error("it has no subject")]
    NoSubject,
    #[error("it names no tenants, or what cannot be any")]
    NoTenants,
    #[error("it has no scope that is known")]
    NoScopes,
}

/// The tokens of one issuer.
pub struct Tokens {
    issuer: Arc<Issuer>,
    reading: Reading,
    audience: String,
    clock: Clock,
    verified: Cache<Digest, Arc<Verified>>,
}

/// What a token was found to say.
#[derive(Debug)]
struct Verified {
    viewer: Viewer,
    expires: Timestamp,
    /// Of the keys that it was verified with.
    generation: u64,
}

impl Tokens {
    /// Accepts the tokens of that issuer. Its keys are read when they are first needed.
    ///
    /// # Errors
    /// When there can be no HTTP client.
    pub fn try_new(config: Config, clock: Clock) -> Result<Self, reqwest::Error> {
        // Named, so that a second provider in the binary could not leave the choice open. It may be there already.
        let _installed = aws_lc::DEFAULT_PROVIDER.install_default();
        let Config { issuer, audience, keys, tenants_claim, scopes_claim, leeway } = config;
        Ok(Self {
            issuer: Arc::new(Issuer::try_new(keys, clock.clone())?),
            reading: Reading { issuer, tenants_claim, scopes_claim, leeway },
            audience,
            clock,
            verified: Cache::new(REMEMBERED),
        })
    }

    /// Whom a token stands for that was verified before and still counts.
    pub(super) fn recall(&self, digest: &Digest) -> Option<Admission> {
        let known = self.verified.get(digest)?;
        let counts = known.generation == self.issuer.generation();
        if counts && self.reading.is_current(known.expires, self.clock.now()) {
            return Some(self.admission(&known));
        }
        self.verified.invalidate(digest);
        None
    }

    /// Verifies a token. Where its key is not known, the issuer is asked for its keys, within limits.
    pub(super) async fn verify(&self, token: &[u8], digest: Digest) -> Option<Admission> {
        let verified = match header(token) {
            Ok(header) => self.verify_by(token, &header).await,
            Err(refused) => Err(refused),
        };
        match verified {
            Ok(verified) => {
                let verified = Arc::new(verified);
                self.verified.insert(digest, Arc::clone(&verified));
                Some(self.admission(&verified))
            }
            Err(refused) => {
                tracing::debug!(reason = %refused, "A token was refused");
                None
            }
        }
    }

    /// Keeps the issuer's keys up to date, for ever.
    pub(super) async fn keep(&self) {
        self.issuer.keep().await;
    }

    async fn verify_by(&self, token: &[u8], header: &Header) -> Result<Verified, Refused> {
        let tried = self.issuer.generation();
        match self.verify_now(token, header) {
            // Also where the signature is wrong: an issuer with one key may give the next one no other id.
            Err(refused @ (Refused::UnknownKey | Refused::Signature)) => {
                self.issuer.look_again().await;
                // By the same keys it would be found wrong again, at the same cost: forgers shall not have it twice.
                if self.issuer.generation() == tried { Err(refused) } else { self.verify_now(token, header) }
            }
            other => other,
        }
    }

    fn verify_now(&self, token: &[u8], header: &Header) -> Result<Verified, Refused> {
        let (keys, generation) = self.issuer.keys();
        let key = keys.pick(header.kid.as_deref(), header.alg).ok_or(Refused::UnknownKey)?;
        let claims = self.claims(token, key)?;
        let Said { viewer, expires } = self.reading.read(&claims, self.clock.now())?;
        Ok(Verified { viewer, expires, generation })
    }

    /// The claims, if that key signed them and they are meant for us. Times are left to [`Reading`], which asks our
    /// own clock.
    fn claims(&self, token: &[u8], key: &Key) -> Result<Claims, Refused> {
        let mut validation = Validation::new(key.algorithm);
        validation.validate_exp = false;
        validation.set_required_spec_claims(&["iss", "aud"]);
        validation.set_issuer(&[&self.reading.issuer]);
        validation.set_audience(&[&self.audience]);
        let decoded = jsonwebtoken::decode::<Claims>(token, &key.key, &validation);
        decoded.map(|it| it.claims).map_err(|error| match error.kind() {
            ErrorKind::InvalidSignature => Refused::Signature,
            ErrorKind::InvalidIssuer => Refused::Issuer,
            ErrorKind::InvalidAudience => Refused::Audience,
            ErrorKind::MissingRequiredClaim(claim) if claim == "iss" => Refused::Issuer,
            ErrorKind::MissingRequiredClaim(_) => Refused::Audience,
            _ => Refused::NotAToken,
        })
    }

    fn admission(&self, known: &Verified) -> Admission {
        let left = between(self.clock.now(), known.expires);
        Admission { viewer: known.viewer.clone(), expires: Instant::now().checked_add(left) }
    }
}

/// What a token says it is signed with, if that can be accepted at all.
fn header(token: &[u8]) -> Result<Header, Refused> {
    if token.len() > LONGEST {
        return Err(Refused::TooLong);
    }
    if token.iter().filter(|byte| **byte == b'.').count() != 2 {
        return Err(Refused::NotAToken);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_library| Refused::NotAToken)?;
    if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA) {
        return Err(Refused::Algorithm);
    }
    if header.crit.is_some() {
        return Err(Refused::Critical);
    }
    Ok(header)
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("issuer", &self.reading.issuer).finish_non_exhaustive()
    }
}
