//! From the settings to what each part wants to know: one function a part.

use anyhow::{Context, bail};

use crate::{
    aurora::{self as client, Aurora, EncryptionKeys, NewKeys},
    catalog::Rules,
    clock::Clock,
    config::{self, Config, DeliverFrom, Documents, SessionToken},
    deliver,
    domain::{TenantId, Viewer, viewer::Tenants},
    graphql::{self, Introspection, Limits, Links, Persisted},
    http::{self, ApiKey, Credentials, Origin, Rate, Tokens, auth::jwt, server, websocket},
    intake, reconcile,
    registration::{Registrations, Target},
};

/// The client of Aurora.
///
/// # Errors
/// When a setting cannot stand in a URL or a header.
pub fn aurora(config: &Config, clock: Clock) -> anyhow::Result<Aurora> {
    let settings = &config.aurora;
    let client = client::Config {
        base_url: settings.base_url.clone(),
        application: settings
            .application
            .as_ref()
            .map(|it| client::Application { id: it.id.clone(), key: it.key.clone() }),
        session_tokens: match settings.session_token {
            SessionToken::Optional => client::SessionTokens::Optional,
            SessionToken::Required => client::SessionTokens::Required,
        },
        tenant_keys: settings.tenants.iter().map(|it| (it.id.clone(), it.key.clone())).collect(),
        requests_per_minute: settings.requests_per_minute,
        request_timeout: settings.request_timeout,
        call_timeout: settings.call_timeout,
        load: client::Load {
            at_once: settings.calls_at_once,
            at_once_per_key: settings.calls_at_once_per_key,
            queued_per_key: settings.calls_queued_per_key,
        },
        api_version: settings.api_version.clone(),
    };
    Ok(Aurora::try_new(client, clock)?)
}

/// What tenants' keys are sealed under on disk, if they are to be kept there.
pub(super) fn encryption_keys(config: &Config) -> Option<EncryptionKeys> {
    let store = &config.store;
    let current = store.encryption_key.clone()?;
    Some(EncryptionKeys { current, previous: store.previous_encryption_key.clone() })
}

/// The keys that can be taken in place of those that `running` has: of the same application, and tenants' own.
pub(super) fn new_keys(running: &Config, read: &Config) -> NewKeys {
    let application = running.aurora.application.as_ref().zip(read.aurora.application.as_ref());
    NewKeys {
        application: application.filter(|(old, new)| old.id == new.id).map(|(_, new)| new.key.clone()),
        tenants: read.aurora.tenants.iter().map(|it| (it.id.clone(), it.key.clone())).collect(),
    }
}

/// Where and how Aurora shall deliver.
///
/// # Errors
/// When a setting is missing that this needs.
pub fn webhook_target(config: &Config) -> anyhow::Result<Target> {
    let Some(public_url) = config.server.public_url.clone() else {
        bail!("server.public_url is not set: Aurora must know where to call");
    };
    let Some(secret) = config.webhooks.secret.clone() else {
        bail!("webhooks.secret is not set: webhooks are registered with header authentication");
    };
    Ok(Target { public_url, header: config.webhooks.header.to_string(), secret })
}

/// Who looks at what Aurora holds, where it is told what that shall be.
pub(super) fn registrations(config: &Config, aurora: &Aurora, clock: &Clock) -> Registrations {
    let target = config.aurora.application.as_ref().and_then(|_| webhook_target(config).ok());
    Registrations::new(aurora.clone(), target, clock.clone())
}

pub(super) fn freshness(config: &Config) -> Rules {
    let cache = &config.cache;
    Rules {
        summary_fresh: cache.summary_fresh,
        summary_stale: cache.summary_stale,
        max_bytes: cache.max_bytes as u64,
    }
}

pub(super) fn intake(config: &Config) -> intake::Config {
    let webhooks = &config.webhooks;
    intake::Config {
        header: webhooks.header.to_string(),
        secret: webhooks.secret.clone(),
        previous_secret: webhooks.previous_secret.clone(),
        basic: webhooks.basic.as_ref().map(|it| (it.user.clone(), it.password.clone())),
        default_tenant: webhooks.default_tenant.clone(),
    }
}

/// How much may be spent on looking for news that never came.
pub(super) fn reconcile(config: &Config) -> reconcile::Rules {
    let settings = &config.reconcile;
    let allowed = f64::from(config.aurora.requests_per_minute.get());
    reconcile::Rules {
        calls_per_minute: allowed * f64::from(settings.share_percent) / 100.0,
        every: settings.every,
        window: settings.window,
    }
}

/// Every tenant that the settings name, once.
pub(super) fn tenants(config: &Config) -> Vec<TenantId> {
    let own = config.aurora.tenants.iter().map(|it| &it.id);
    let keys = config.auth.api_keys.iter().map(|key| &key.tenants);
    let reached =
        keys.chain(config.deliver.iter().map(|it| &it.tenants)).filter_map(|tenants| match tenants {
            Tenants::All => None,
            Tenants::Only(these) => Some(these),
        });
    let mut all: Vec<_> =
        own.chain(reached.flatten()).chain(config.webhooks.default_tenant.as_ref()).cloned().collect();
    all.sort();
    all.dedup();
    all
}

/// Aurora's application stands beside its API: `v2` in production, `v2-sandbox` for everything else.
pub(super) fn links(config: &Config) -> Links {
    let app = match config.aurora.base_url.host_str() {
        Some("api.aurorasolar.com") => "https://v2.aurorasolar.com",
        _ => "https://v2-sandbox.aurorasolar.com",
    };
    Links { app: app.to_owned() }
}

/// Whom events are delivered to.
pub(super) fn targets(config: &Config) -> Vec<deliver::Config> {
    let patience = &config.outbound;
    let target = |it: &config::Deliver| deliver::Config {
        name: it.name.clone(),
        url: it.url.clone(),
        keys: it.keys.clone(),
        tenants: it.tenants.clone(),
        types: it.types.clone(),
        allow_private: it.allow_private.clone(),
        authorities: it.ca_file.clone(),
        from: match it.from {
            DeliverFrom::Now => deliver::From::Now,
            DeliverFrom::Oldest => deliver::From::Oldest,
        },
        timeout: patience.timeout,
        at_once: patience.at_once,
        retry_for: patience.retry_for,
        disable_after: patience.disable_after,
    };
    config.deliver.iter().map(target).collect()
}

/// Sees whether each target of deliveries could be one, without asking anybody.
///
/// # Errors
/// When one could not.
pub fn check_targets(config: &Config) -> anyhow::Result<()> {
    targets(config).iter().try_for_each(|target| Ok(deliver::check(target)?))
}

/// Who may call.
///
/// # Errors
/// When there can be no HTTP client for the issuer's keys.
pub(super) fn credentials(config: &Config, clock: Clock) -> anyhow::Result<Credentials> {
    let api_keys = config.auth.api_keys.iter().map(|key| ApiKey {
        name: key.name.clone(),
        key_sha256: *key.digest.as_bytes(),
        viewer: Viewer::new(key.name.clone(), key.tenants.clone(), key.scopes.clone()),
    });
    let tokens = config.auth.jwt.as_ref().map(|jwt| Tokens::try_new(tokens(jwt), clock)).transpose();
    Ok(Credentials::from_api_keys(api_keys).and_tokens(tokens.context("auth.jwt")?))
}

fn tokens(jwt: &config::Jwt) -> jwt::Config {
    jwt::Config {
        issuer: jwt.issuer.clone(),
        audience: jwt.audience.clone(),
        keys: match &jwt.jwks {
            config::Jwks::Url(url) => jwt::Place::Url(url.clone()),
            config::Jwks::File(path) => jwt::Place::File(path.clone()),
        },
        tenants_claim: jwt.tenants_claim.clone(),
        scopes_claim: jwt.scopes_claim.clone(),
        leeway: jwt.leeway,
    }
}

pub(super) fn rate(config: &Config) -> Rate {
    Rate::per_minute(config.limits.requests_per_minute)
}

pub(super) fn limits(config: &Config) -> Limits {
    let limits = &config.limits;
    Limits {
        depth: limits.depth,
        aliases: limits.aliases,
        root_fields: limits.root_fields,
        directives: limits.directives,
        cost: limits.cost,
        introspection: match (limits.documents, limits.introspection) {
            (Documents::Trusted, _) | (_, config::Introspection::Off) => Introspection::Off,
            (_, config::Introspection::Admin) => Introspection::Admin,
            (_, config::Introspection::Read) => Introspection::Read,
        },
    }
}

/// The documents that need not be sent, or all that may be asked for.
///
/// # Errors
/// When the manifest cannot be read, or is none.
pub(super) fn persisted(config: &Config) -> anyhow::Result<Persisted> {
    let Some(path) = &config.limits.documents_manifest else { return Ok(Persisted::default()) };
    let told = || format!("limits.documents_manifest: the file {}", path.display());
    let json = std::fs::read_to_string(path).with_context(told)?;
    let only_trusted = config.limits.documents == Documents::Trusted;
    Persisted::from_manifest(&json, only_trusted).map_err(anyhow::Error::msg).with_context(told)
}

/// Sees whether every trusted document would run.
///
/// # Errors
/// When the manifest cannot be read, is none, or holds what does not fit the schema or the limits.
pub fn check_documents(config: &Config) -> anyhow::Result<()> {
    graphql::check_trusted(persisted(config)?, limits(config))
        .map_err(anyhow::Error::msg)
        .context("limits.documents_manifest")
}

pub(super) fn edges(config: &Config) -> anyhow::Result<http::Config> {
    let limits = &config.limits;
    let origins = config.server.allowed_origins.iter();
    Ok(http::Config {
        allowed_origins: origins
            .map(|origin| Origin::parse(&origin.ascii_serialization()))
            .collect::<Result<_, _>>()
            .context("server.allowed_origins")?,
        body_bytes: limits.body_bytes,
        body_timeout: limits.body_timeout,
        document_bytes: limits.document_bytes,
        document_tokens: limits.document_tokens,
        batch: limits.batch,
        keep_alive: limits.keep_alive_interval,
        socket: websocket::Limits {
            operations: limits.socket_operations,
            backlog: limits.subscriber_backlog,
            init_timeout: limits.init_timeout,
            ping_every: limits.ping_interval,
            write_timeout: limits.write_timeout,
            ..websocket::Limits::default()
        },
    })
}

pub(super) fn connections(config: &Config) -> server::Limits {
    let limits = &config.limits;
    server::Limits {
        connections: u32::try_from(limits.connections).unwrap_or(u32::MAX),
        files_kept: files_kept(config),
        head: limits.header_timeout,
        idle: limits.idle_timeout,
        ..server::Limits::default()
    }
}

/// Files of the process itself. The store has two for each of its connections (one that writes, four that read, one that
/// checks, a guest's) and three for all; the rest is for ports, log, signals, settings, an issuer's keys, names that are
/// looked up, and as many again.
const OWN_FILES: u32 = 64;

/// Files that are not for the public port's connections: each call to Aurora may take one, each message to a target, each
/// connection to the operator's port.
fn files_kept(config: &Config) -> u32 {
    let calls = config.aurora.calls_at_once + config.deliver.len() * config.outbound.at_once;
    u32::try_from(calls).unwrap_or(u32::MAX).saturating_add(OWN_FILES + OPERATORS_CONNECTIONS)
}

/// Connections to the operator's port at once. A scraper, a balancer's look and a person need a handful; files that are
/// taken here are missing elsewhere.
const OPERATORS_CONNECTIONS: u32 = 64;

/// The same for the operator's port.
pub(super) fn operators_connections(config: &Config) -> server::Limits {
    let limits = connections(config);
    server::Limits { connections: limits.connections.min(OPERATORS_CONNECTIONS), ..limits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_to_every_call_and_every_target() {
        let kept = |settings: &[(&str, &str)]| {
            let settings = settings.iter().map(|(key, it)| (format!("HELIOGRAPH_{key}"), (*it).to_owned()));
            files_kept(&Config::load(None, settings.collect::<Vec<_>>()).unwrap())
        };
        let target = |at: usize| {
            [
                ("NAME", format!("t{at}")),
                ("URL", "https://crm.example/".to_owned()),
                ("TENANTS", "*".to_owned()),
            ]
            .into_iter()
            .chain([("SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=".to_owned())])
            .map(|(key, it)| (format!("DELIVER__{at}__{key}"), it))
            .collect::<Vec<_>>()
        };
        assert_eq!(kept(&[]), 384);
        assert_eq!(kept(&[("AURORA__CALLS_AT_ONCE", "1000")]), 1_128);
        let ten: Vec<_> = (0..10).flat_map(target).collect();
        let ten: Vec<_> = ten.iter().map(|(key, it)| (key.as_str(), it.as_str())).collect();
        assert_eq!(kept(&ten), 424);
        assert_eq!(kept(&[&ten[..], &[("OUTBOUND__AT_ONCE", "64")]].concat()), 1_024);
    }

    #[test]
    fn links_lead_to_the_application_beside_the_api() {
        for (api, app) in [
            ("https://api.aurorasolar.com", "https://v2.aurorasolar.com"),
            ("https://api-sandbox.aurorasolar.com", "https://v2-sandbox.aurorasolar.com"),
            ("http://127.0.0.1:4010", "https://v2-sandbox.aurorasolar.com"),
        ] {
            let setting = ("HELIOGRAPH_AURORA__BASE_URL".to_owned(), api.to_owned());
            let config = Config::load(None, [setting]).unwrap();
            assert_eq!(links(&config).app, app, "{api}");
        }
    }
}
