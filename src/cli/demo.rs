//! `heliograph demo`: gateway and sandbox in one process, on loopback, with a key for whoever looks.

use anyhow::{Context, bail};
use rand::{Rng, distr::Alphanumeric};
use secrecy::SecretString;

use crate::{
    app::{self, App},
    cli::{ConfigFile, sandbox},
    clock::Clock,
    config::{ApiKey, Application, Config, KeyDigest},
    domain::{Scope, TenantId, viewer::Tenants},
    http::page,
    lifecycle, registration,
    sandbox::Sandbox,
};

/// Runs both until asked to stop.
pub(super) fn run(file: &ConfigFile) -> anyhow::Result<()> {
    // A file that lies here is the one of a real gateway: the demo reads only what it is given.
    let mut config = Config::from_named(file.path.as_deref())?;
    config.require_for_demo()?;
    for address in [config.server.listen, config.server.admin_listen, config.sandbox.listen] {
        if !address.ip().is_loopback() {
            bail!("the demo listens on loopback only, and {address} is not: its key is shown to everybody");
        }
    }
    super::start_logging(&config)?;
    if config.store.path.exists() && config.is_set("store.path") {
        // The sandbox begins anew at each start. With the seed of an earlier run it would give out the same ids again, and
        // news would look like repeats of what the store remembers.
        config.sandbox.seed = rand::rng().random();
    }
    // Kept until the end: dropping it removes the folder.
    let place = temporary_place(&mut config)?;
    let done = super::runtime()?.block_on(demonstrate(config));
    drop(place);
    done
}

async fn demonstrate(mut config: Config) -> anyhow::Result<()> {
    let stop = lifecycle::stop_on_signal()?;
    let sandbox = Sandbox::start(sandbox::settings(&config))
        .await
        .with_context(|| format!("the sandbox cannot have the address {}", config.sandbox.listen))?;
    let key = format!("demo-{}", random_text());
    let tenant = sandbox::first_tenant(&config).context("sandbox.tenants names no tenant")?;
    lead_to_the_sandbox(&mut config, &sandbox, &key, &tenant)?;

    let shown = page::Demo { api_key: key.clone(), tenant_id: tenant.to_string() };
    let app = App::build_with(&config, Clock::system(), Some(shown)).await?;
    let base = format!("http://{}", app.addr());
    let admin = format!("http://{}", app.admin_addr());
    if config.server.public_url.is_none() {
        config.server.public_url = Some(format!("{base}/").parse()?);
    }
    let target = app::webhook_target(&config)?;
    let client = app::aurora(&config, Clock::system())?;
    let running = tokio::spawn(app.run(stop));
    registration::ensure(&client, &target).await.context("the sandbox did not take the webhooks")?;

    say(&base, &admin, &sandbox.base_url(), &key, &tenant, &config);
    running.await.context("the gateway broke off")??;
    sandbox.stop().await;
    Ok(())
}

/// A folder that ends with the process, unless the settings say where data shall be.
fn temporary_place(config: &mut Config) -> anyhow::Result<Option<tempfile::TempDir>> {
    if config.is_set("store.path") {
        return Ok(None);
    }
    let place = tempfile::Builder::new().prefix("heliograph-demo-").tempdir()?;
    config.store.path = place.path().join("heliograph.db");
    Ok(Some(place))
}

fn lead_to_the_sandbox(
    config: &mut Config,
    sandbox: &Sandbox,
    key: &str,
    tenant: &TenantId,
) -> anyhow::Result<()> {
    config.aurora.base_url = sandbox.base_url().parse()?;
    config.aurora.application = Some(Application {
        id: config.sandbox.application_id.clone(),
        key: config.sandbox.application_key.clone(),
    });
    config.aurora.session_token = config.sandbox.session_token;
    config.aurora.tenants.clear();
    if config.webhooks.secret.is_none() {
        config.webhooks.secret = Some(SecretString::from(random_text()));
    }
    config.auth.api_keys.push(ApiKey {
        name: "demo".to_owned(),
        digest: KeyDigest::of(key),
        tenants: Tenants::Only(vec![tenant.clone()]),
        scopes: Scope::ALL.to_vec(),
    });
    Ok(())
}

/// 32 letters and digits: as hard to guess as a UUID, and nothing to escape when pasted.
fn random_text() -> String {
    rand::rng().sample_iter(Alphanumeric).take(32).map(char::from).collect()
}

#[expect(clippy::print_stdout, reason = "this is what the demo is for")]
fn say(base: &str, admin: &str, sandbox: &str, key: &str, tenant: &TenantId, config: &Config) {
    println!(
        "heliograph {version} demo

  GraphiQL         {base}/graphiql
  GraphQL          {base}/graphql
  Schema           {base}/schema.graphql
  Health, metrics  {admin}/healthz  {admin}/metrics
  Aurora sandbox   {sandbox}
  API key          {key}   (tenant {tenant})
  Data             {data}

Try:

  curl -s {base}/graphql -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\
    -d '{{\"query\":\"{{ viewer {{ name tenants {{ tenantId }} }} }}\"}}'

A project's design is complete {delay} s after it was created. Ctrl-C stops.",
        version = env!("CARGO_PKG_VERSION"),
        data = config.store.path.display(),
        delay = config.sandbox.design_delay.as_secs_f32(),
    );
}
