//! `[webhooks]`: how a delivery proves that it comes from Aurora.

use http::HeaderName;
use secrecy::SecretString;

use super::parse;
use super::section::{Reported, Section};
use crate::domain::TenantId;

/// How a delivery proves that it comes from Aurora. Both ways may be open at once.
#[derive(Debug, Clone)]
pub struct Webhooks {
    /// The header that carries `secret`.
    pub header: HeaderName,
    /// What that header must hold.
    pub secret: Option<SecretString>,
    /// What `secret` was before: accepted as well, for as long as Aurora may still send it. Never without it.
    pub previous_secret: Option<SecretString>,
    /// HTTP basic authentication, instead or as well.
    pub basic: Option<BasicAuth>,
    /// Whose a delivery is that carries no tenant id.
    pub default_tenant: Option<TenantId>,
}

/// HTTP basic authentication.
#[derive(Debug, Clone)]
pub struct BasicAuth {
    /// Without a colon, as HTTP demands.
    pub user: String,
    /// Any text.
    pub password: SecretString,
}

impl Webhooks {
    pub(super) fn read(mut section: Section<'_, '_>) -> Result<Self, Reported> {
        let header = section.required("header", parse::header_name);
        let secret = section.secret("secret", header_secret);
        let previous_secret = section.secret("previous_secret", header_secret);
        let basic = BasicAuth::read(&mut section);
        let default_tenant = section.optional("default_tenant", parse::tenant);
        let (secret, previous_secret) = (secret?, previous_secret?);
        if previous_secret.is_some() && secret.is_none() {
            let key = section.written(["previous_secret", "previous_secret_file"]);
            return Err(section.refuse(key, "needs `webhooks.secret` beside it, which takes its place"));
        }
        Ok(Self { header: header?, secret, previous_secret, basic: basic?, default_tenant: default_tenant? })
    }
}

fn header_secret(text: &str) -> Result<SecretString, String> {
    parse::header_text(text)?;
    Ok(SecretString::from(text))
}

impl BasicAuth {
    fn read(section: &mut Section<'_, '_>) -> Result<Option<Self>, Reported> {
        let user = section.optional("basic_user", |value| {
            let user = parse::name(value)?;
            if user.contains(':') {
                return Err("must not contain a colon: HTTP puts one between user and password".to_owned());
            }
            Ok(user)
        });
        let password = section.secret("basic_password", |text| Ok(SecretString::from(text)));
        match (user?, password?) {
            (Some(user), Some(password)) => Ok(Some(Self { user, password })),
            (None, None) => Ok(None),
            (Some(_), None) => Err(section.refuse("basic_user", "needs `webhooks.basic_password` beside it")),
            (None, Some(_)) => {
                let key = section.written(["basic_password", "basic_password_file"]);
                Err(section.refuse(key, "needs `webhooks.basic_user` beside it"))
            }
        }
    }
}
