//! `heliograph sandbox`: an Aurora with invented data, alone.

use anyhow::Context;

use crate::{
    cli::ConfigFile,
    config::{Config, SessionToken},
    domain::TenantId,
    lifecycle,
    sandbox::{self, Sandbox, SessionTokens, Tenant, Units},
};

/// Runs it until asked to stop.
#[expect(clippy::print_stdout, reason = "whoever starts the process with port 0 reads it")]
pub(super) fn run(file: &ConfigFile) -> anyhow::Result<()> {
    let config = Config::from_process(file.path.as_deref())?;
    super::start_logging(&config)?;
    super::runtime()?.block_on(async {
        let stop = lifecycle::stop_on_signal()?;
        let sandbox = Sandbox::start(settings(&config))
            .await
            .with_context(|| format!("the sandbox cannot have the address {}", config.sandbox.listen))?;
        println!("heliograph {} sandbox listens on {}", env!("CARGO_PKG_VERSION"), sandbox.base_url());
        stop.cancelled().await;
        sandbox.stop().await;
        Ok(())
    })
}

/// What the sandbox is told.
pub(super) fn settings(config: &Config) -> sandbox::Config {
    let settings = &config.sandbox;
    let known = sandbox::Config::default();
    let tenants = settings.tenants.iter().map(|id| {
        let usual = known.tenants.iter().find(|it| it.id == id.as_str()).cloned();
        usual.unwrap_or_else(|| Tenant::new(id.as_str(), Units::Metric))
    });
    sandbox::Config {
        listen: settings.listen,
        seed: settings.seed,
        application_id: settings.application_id.clone(),
        application_key: settings.application_key.clone(),
        session_tokens: match settings.session_token {
            SessionToken::Optional => SessionTokens::Optional,
            SessionToken::Required => SessionTokens::Required,
        },
        requests_per_minute: settings.requests_per_minute.get(),
        design_delay: Some(settings.design_delay),
        tenants: tenants.collect(),
        ..known
    }
}

/// The tenant that the demo shows.
pub(super) fn first_tenant(config: &Config) -> Option<TenantId> {
    config.sandbox.tenants.first().cloned()
}
