//! What a token says of its bearer, once its signature has been found good.
//!
//! Invariant: what is missing, empty or of the wrong shape is a refusal and never a default. Not here: signatures,
//! issuer and audience.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::jwt::Refused;
use crate::{
    clock::{earlier, later},
    domain::{Scope, TenantId, Viewer, viewer::Tenants},
};

/// Digits of a subject's hash. With 16, two of a billion subjects share a name once in forty tries.
const NAME_DIGITS: usize = 16;

/// The members of a token.
pub(super) type Claims = Map<String, Value>;

/// Which members hold what, and how much clocks may differ.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) issuer: String,
    pub(super) tenants_claim: String,
    pub(super) scopes_claim: String,
    pub(super) leeway: Duration,
}

/// What a sound token says.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) viewer: Viewer,
    /// When it ends, as its issuer has it.
    pub(super) expires: Timestamp,
}

impl Reading {
    /// Reads the claims, or says what is wrong with them.
    pub(super) fn read(&self, claims: &Claims, now: Timestamp) -> Result<Said, Refused> {
        let expires = time(claims.get("exp").ok_or(Refused::Expired)?).ok_or(Refused::Expired)?;
        if !self.is_current(expires, now) {
            return Err(Refused::Expired);
        }
        if let Some(not_before) = claims.get("nbf") {
            let from = time(not_before).ok_or(Refused::NotYet)?;
            if later(now, self.leeway) < from {
                return Err(Refused::NotYet);
            }
        }
        let subject = claims.get("sub").and_then(Value::as_str).filter(|it| !it.is_empty());
        let name = self.name(subject.ok_or(Refused::NoSubject)?);
        let tenants = claims.get(&self.tenants_claim).and_then(tenants).ok_or(Refused::NoTenants)?;
        let scopes = claims.get(&self.scopes_claim).map(scopes).unwrap_or_default();
        if scopes.is_empty() {
            return Err(Refused::NoScopes);
        }
        Ok(Said { viewer: Viewer::new(name, tenants, scopes), expires })
    }

    /// Whether a token that ends then is still taken.
    pub(super) fn is_current(&self, expires: Timestamp, now: Timestamp) -> bool {
        earlier(now, self.leeway) < expires
    }

    /// The same subject of the same issuer always has the same name, and it tells nobody who that is: a subject may
    /// be an e-mail address, and names are logged.
    fn name(&self, subject: &str) -> String {
        let mut hash = Sha256::new();
        hash.update((self.issuer.len() as u64).to_be_bytes());
        hash.update(&self.issuer);
        hash.update(subject);
        let digits: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("jwt:{}", digits.get(..NAME_DIGITS).unwrap_or(&digits))
    }
}

/// Seconds since 1970, whole or not. What lies beyond all calendars is their end.
fn time(value: &Value) -> Option<Timestamp> {
    if let Some(seconds) = value.as_i64() {
        return Some(Timestamp::from_second(seconds).unwrap_or(match seconds {
            ..0 => Timestamp::MIN,
            _ => Timestamp::MAX,
        }));
    }
    let seconds = value.as_f64().filter(|it| it.is_finite() && *it >= 0.0)?;
    let since = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    Some(later(Timestamp::UNIX_EPOCH, since))
}

/// One tenant, a list of them, or `"*"` alone for all.
fn tenants(value: &Value) -> Option<Tenants> {
    let names: Vec<&str> = match value {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().map(Value::as_str).collect::<Option<_>>()?,
        _ => return None,
    };
    if names == ["*"] {
        return Some(Tenants::All);
    }
    let mut tenants: Vec<TenantId> = Vec::new();
    for name in names {
        // A star among others is no tenant: whoever wrote it meant something else than what they would get.
        let tenant = TenantId::parse(name).ok().filter(|_| name != "*")?;
        if !tenants.contains(&tenant) {
            tenants.push(tenant);
        }
    }
    (!tenants.is_empty()).then_some(Tenants::Only(tenants))
}

/// Those that we know: of words with spaces between them, as OAuth has it, or of a list.
fn scopes(value: &Value) -> Vec<Scope> {
    let words: Vec<&str> = match value {
        Value::String(words) => words.split(' ').collect(),
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let named: Vec<_> = words.into_iter().filter_map(Scope::from_name).collect();
    Scope::ALL.into_iter().filter(|scope| named.contains(scope)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn reading() -> Reading {
        Reading {
            issuer: "https://issuer.example".to_owned(),
            tenants_claim: "aurora_tenants".to_owned(),
            scopes_claim: "scope".to_owned(),
            leeway: Duration::from_secs(30),
        }
    }

    const NOW: i64 = 1_800_000_000;

    /// Reads a sound token with one member changed, or left out where it is null.
    fn read(member: &str, value: Value) -> Result<Said, Refused> {
        let mut claims = json!({
            "sub": "ann@example.com", "exp": NOW + 60, "aurora_tenants": ["a", "b"], "scope": "openid read write",
        });
        let claims = claims.as_object_mut().unwrap();
        match value {
            Value::Null => claims.remove(member),
            value => claims.insert(member.to_owned(), value),
        };
        reading().read(claims, Timestamp::from_second(NOW).unwrap())
    }

    #[test]
    fn a_sound_token_names_tenants_and_scopes_and_hides_who_it_is() {
        let said = read("", Value::Null).unwrap();
        assert_eq!(said.viewer.scopes(), [Scope::Read, Scope::Write]);
        assert_eq!(said.expires.as_second(), NOW + 60);
        let name = said.viewer.name();
        assert!(name.starts_with("jwt:") && name.len() == 20, "{name}");
        assert_eq!(read("", Value::Null).unwrap().viewer.name(), name);
        assert_ne!(read("sub", json!("bob@example.com")).unwrap().viewer.name(), name);
    }

    #[test]
    fn the_times_are_kept_within_the_leeway() {
        for (exp, good) in [(NOW - 29, true), (NOW - 30, false), (NOW - 31, false), (i64::MAX, true)] {
            assert_eq!(read("exp", json!(exp)).is_ok(), good, "{exp}");
        }
        for (nbf, good) in [(NOW + 30, true), (NOW + 31, false), (i64::MIN, true)] {
            assert_eq!(read("nbf", json!(nbf)).is_ok(), good, "{nbf}");
        }
        for bad in [json!("soon"), json!([]), json!(-1.5), json!({}), json!(true)] {
            assert!(matches!(read("exp", bad.clone()), Err(Refused::Expired)), "{bad}");
            assert!(matches!(read("nbf", bad.clone()), Err(Refused::NotYet)), "{bad}");
        }
        assert!(matches!(read("exp", Value::Null), Err(Refused::Expired)));
        assert!(read("exp", json!(1e300)).is_ok() && read("exp", json!(1.8e9 + 10.5)).is_ok());
    }

    #[test]
    fn tenants_are_one_several_or_all_and_never_none() {
        let only =
            |names: &[&str]| Tenants::Only(names.iter().map(|it| TenantId::parse(it).unwrap()).collect());
        for (claim, tenants) in [
            (json!("a"), only(&["a"])),
            (json!(["b", "a", "b"]), only(&["b", "a"])),
            (json!("*"), Tenants::All),
            (json!(["*"]), Tenants::All),
        ] {
            assert_eq!(read("aurora_tenants", claim).unwrap().viewer.tenants(), &tenants);
        }
        for none in
            [Value::Null, json!(""), json!([]), json!(["*", "a"]), json!(["a", 7]), json!({}), json!("a/b")]
        {
            assert!(matches!(read("aurora_tenants", none.clone()), Err(Refused::NoTenants)), "{none}");
        }
    }

    #[test]
    fn scopes_are_words_or_a_list_and_at_least_one_of_ours() {
        for claim in [json!("read"), json!("profile read  read"), json!(["x", "read", 7])] {
            assert_eq!(read("scope", claim).unwrap().viewer.scopes(), [Scope::Read]);
        }
        for none in
            [Value::Null, json!(""), json!("openid"), json!("READ"), json!([]), json!(7), json!("read,write")]
        {
            assert!(matches!(read("scope", none.clone()), Err(Refused::NoScopes)), "{none}");
        }
    }

    #[test]
    fn a_token_without_a_subject_is_refused() {
        for none in [Value::Null, json!(""), json!(7)] {
            assert!(matches!(read("sub", none.clone()), Err(Refused::NoSubject)), "{none}");
        }
    }

    proptest! {
        #[test]
        fn any_time_is_read_or_refused(number in any::<f64>(), whole in any::<i64>(), large in any::<u64>()) {
            for value in [json!(number), json!(whole), json!(large)] {
                let _any = time(&value);
            }
        }
    }
}
