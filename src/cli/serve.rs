//! `heliograph serve`: the gateway, until it is asked to stop.

use crate::{app::App, cli::ConfigFile, clock::Clock, config::Config, lifecycle};

/// Runs it.
pub(super) fn run(file: &ConfigFile) -> anyhow::Result<()> {
    let config = Config::from_process(file.path.as_deref())?;
    config.require_for_serve()?;
    super::start_logging(&config)?;
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    super::runtime()?.block_on(async {
        let stop = lifecycle::stop_on_signal()?;
        let app = App::build(&config, Clock::system()).await?;
        let reload = app.reload();
        lifecycle::reload_on_hangup(move || reload.notify_one())?;
        say(&app);
        app.run(stop).await
    })
}

/// The start line, on standard output: with port 0 it is the only way to learn which ports were picked.
#[expect(clippy::print_stdout, reason = "whoever starts the process with port 0 reads it")]
fn say(app: &App) {
    println!(
        "heliograph {} listens on http://{} (admin http://{})",
        env!("CARGO_PKG_VERSION"),
        app.addr(),
        app.admin_addr()
    );
}
