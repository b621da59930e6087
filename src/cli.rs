//! The command line: what can be asked of the binary, and the exit code of each answer.
//!
//! Exit codes: 0 done, 1 failed, 2 asked wrongly (usage or configuration).
//!
//! Not here: the commands themselves, one file each under `cli/`.

mod check_config;
mod demo;
mod events;
mod healthcheck;
mod sandbox;
mod schema;
mod serve;
mod store;
mod webhooks;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::{config, telemetry};

/// What was asked.
#[derive(Debug, Parser)]
#[command(
    name = "heliograph",
    version,
    about = "A GraphQL gateway over Aurora Solar for CRM software",
    after_help = "Example:\n  heliograph demo\n\nExit codes: 0 done, 1 failed, 2 usage or configuration.",
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The commands of the binary.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gateway.
    #[command(after_help = "Example:\n  heliograph serve --config heliograph.toml")]
    Serve(ConfigFile),

    /// Run an Aurora with invented data, to develop and test against.
    #[command(after_help = "Example:\n  HELIOGRAPH_SANDBOX__LISTEN=127.0.0.1:4010 heliograph sandbox")]
    Sandbox(ConfigFile),

    /// Run gateway and sandbox in one process; no credential is needed. Reads no file but the one it is given, and keeps
    /// nothing unless store.path is set: the sandbox begins anew at each start.
    #[command(after_help = "Example:\n  heliograph demo")]
    Demo(ConfigFile),

    /// Print the GraphQL schema.
    #[command(after_help = "Example:\n  heliograph schema > schema.graphql")]
    Schema,

    /// Check the configuration, show the settings in force, and open no port.
    #[command(after_help = "Example:\n  heliograph check-config --config heliograph.toml --serve")]
    CheckConfig(CheckConfig),

    /// Ask a running gateway whether it lives: exit code 0 or 1.
    #[command(after_help = "Examples:\n  heliograph healthcheck\n  heliograph healthcheck --url \
                            http://127.0.0.1:4001/readyz")]
    Healthcheck(Healthcheck),

    /// See to the webhooks that Aurora holds for the partner application.
    #[command(subcommand, after_help = "Example:\n  heliograph webhooks ensure --config heliograph.toml")]
    Webhooks(Webhooks),

    /// Write out what was announced, or have it announced again; also while the gateway runs.
    #[command(
        subcommand,
        after_help = "Example:\n  heliograph events export --config heliograph.toml --to events.jsonl"
    )]
    Events(Events),

    /// See whether the store is sound, or what can be had of a damaged one.
    #[command(subcommand, after_help = "Example:\n  heliograph store check --config heliograph.toml")]
    Store(Store),
}

/// Where the configuration is.
#[derive(Debug, Clone, Args)]
pub struct ConfigFile {
    /// Configuration file; without it, heliograph.toml if there is one.
    #[arg(long = "config", value_name = "FILE")]
    pub path: Option<PathBuf>,
}

/// What `check-config` is to check.
#[derive(Debug, Args)]
pub struct CheckConfig {
    #[command(flatten)]
    config: ConfigFile,

    /// Also demand what `serve` needs: a webhook secret, an API key, a way to tenants' keys.
    #[arg(long)]
    serve: bool,
}

/// Whom `healthcheck` is to ask.
#[derive(Debug, Args)]
pub struct Healthcheck {
    #[command(flatten)]
    config: ConfigFile,

    /// Ask this http:// URL, and read no configuration.
    #[arg(long, value_name = "URL", conflicts_with = "path")]
    url: Option<url::Url>,
}

/// What is to be done with Aurora's webhooks.
#[derive(Debug, Subcommand)]
pub enum Webhooks {
    /// List them.
    #[command(after_help = "Example:\n  heliograph webhooks list")]
    List(ConfigFile),

    /// Register those that are missing, and correct those that lead elsewhere.
    #[command(
        after_help = "Example:\n  HELIOGRAPH_SERVER__PUBLIC_URL=https://heliograph.crm.example heliograph \
                            webhooks ensure"
    )]
    Ensure(ConfigFile),

    /// Delete one.
    #[command(after_help = "Example:\n  heliograph webhooks delete 0f4f7c3e-webhook-id")]
    Delete(DeleteWebhook),
}

/// Which webhook to delete.
#[derive(Debug, Args)]
pub struct DeleteWebhook {
    /// Aurora's id of it, as `list` shows it.
    #[arg(value_name = "ID")]
    pub id: String,

    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// What is to be done with the announced events.
#[derive(Debug, Subcommand)]
pub enum Events {
    /// Write the announced events out, oldest first, as lines of JSON.
    #[command(
        after_help = "Examples:\n  heliograph events export --to events.jsonl\n  heliograph events export \
                            --tenant tenant-demo --from AX3k… | jq .designId"
    )]
    Export(ExportEvents),

    /// Have a tenant's events behind a cursor announced again, as new events with places of their own. Subscribers and
    /// targets hear them once more, marked with `replayOf`; summaries are read again.
    #[command(
        after_help = "Examples:\n  heliograph events replay --tenant tenant-demo --from AX3k… --dry-run\n  \
                            heliograph events replay --tenant tenant-demo --from AX3k… --limit 5000"
    )]
    Replay(ReplayEvents),
}

/// What is to be done with the store's file.
#[derive(Debug, Subcommand)]
pub enum Store {
    /// Check all of the file, also while the gateway runs: exit code 0 or 1. Takes some seconds for a million rows.
    #[command(after_help = "Example:\n  heliograph store check --config heliograph.toml")]
    Check(ConfigFile),

    /// Copy everything that can still be read of a damaged store into a new one. The damaged one stays as it is.
    #[command(
        after_help = "Example:\n  heliograph store salvage --from broken/heliograph.db --to heliograph.db"
    )]
    Salvage(SalvageStore),
}

/// What `store salvage` reads and writes.
#[derive(Debug, Args)]
pub struct SalvageStore {
    /// The damaged file; without it, that of the configuration.
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,

    /// A new file.
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,

    #[command(flatten)]
    config: ConfigFile,
}

/// What `events export` writes, and where.
#[derive(Debug, Args)]
pub struct ExportEvents {
    /// Only this tenant's; without it, everybody's.
    #[arg(long, value_name = "ID")]
    pub tenant: Option<String>,

    /// Only what came behind this cursor. Without it, everything that is kept.
    #[arg(long, value_name = "CURSOR")]
    pub from: Option<String>,

    /// A new file; without it, standard output.
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,

    #[command(flatten)]
    config: ConfigFile,
}

/// What `events replay` has announced again.
#[derive(Debug, Args)]
pub struct ReplayEvents {
    /// The tenant.
    #[arg(long, value_name = "ID")]
    pub tenant: String,

    /// The cursor of the last event that was not lost.
    #[arg(long, value_name = "CURSOR")]
    pub from: String,

    /// Do nothing where there are more than this; 10000 at the most.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    pub limit: usize,

    /// Only say what would be announced again.
    #[arg(long)]
    pub dry_run: bool,

    #[command(flatten)]
    config: ConfigFile,
}

/// Does what was asked.
///
/// # Errors
/// With a [`config::Error`] in its chain when the configuration is refused, else with what failed.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::CheckConfig(args) => check_config::run(&args),
        Command::Healthcheck(args) => healthcheck::run(args),
        Command::Serve(file) => serve::run(&file),
        Command::Sandbox(file) => sandbox::run(&file),
        Command::Demo(file) => demo::run(&file),
        Command::Schema => {
            schema::run();
            Ok(())
        }
        Command::Webhooks(command) => webhooks::run(&command),
        Command::Events(command) => events::run(&command),
        Command::Store(command) => store::run(&command),
    }
}

/// Sends log lines where the settings say.
fn start_logging(config: &config::Config) -> anyhow::Result<()> {
    let format = match config.log.format {
        config::Format::Text => telemetry::Format::Text,
        config::Format::Json => telemetry::Format::Json,
    };
    telemetry::log::init(format, config.log.level.as_str())?;
    telemetry::panics::log_them();
    Ok(())
}

/// The runtime that a command runs in.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// 2 when the configuration is to blame, else 1.
#[must_use]
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    let refused = error.chain().any(|cause| cause.is::<config::Error>());
    ExitCode::from(if refused { 2 } else { 1 })
}

#[cfg(test)]
mod tests;
