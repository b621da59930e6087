//! `heliograph check-config`: is the configuration sound, and what is in force?
//!
//! Opens no port and asks nobody. Secrets are shown as `[redacted]`.

use std::io::{self, Write};

use super::CheckConfig;
use crate::{app, config::Config};

/// Checks and shows.
///
/// # Errors
/// When the configuration is refused, or when standard output is closed.
pub(super) fn run(args: &CheckConfig) -> anyhow::Result<()> {
    let config = Config::from_process(args.config.path.as_deref())?;
    if args.serve {
        config.require_for_serve()?;
    }
    app::check_documents(&config)?;
    app::check_targets(&config)?;
    report(&config, &mut io::stdout().lock())?;
    Ok(())
}

fn report(config: &Config, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "configuration is sound")?;
    writeln!(out)?;
    for setting in config.settings() {
        writeln!(out, "{setting}")?;
    }
    let warnings = config.warnings();
    if !warnings.is_empty() {
        writeln!(out)?;
    }
    for warning in warnings {
        writeln!(out, "warning: {warning}")?;
    }
    if let Err(error) = config.require_for_serve() {
        for problem in error.problems() {
            writeln!(out, "warning: `serve` would not start: {problem}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_shows_each_setting_with_its_origin_and_no_secret() {
        let variable = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let config = Config::load(
            None,
            [
                variable("HELIOGRAPH_SERVER__LISTEN", "127.0.0.1:5000"),
                variable("HELIOGRAPH_WEBHOOKS__SECRET", "do-not-show-this-secret"),
            ],
        )
        .unwrap();

        let mut out = Vec::new();
        report(&config, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();

        assert!(text.starts_with("configuration is sound\n"), "{text}");
        assert!(text.contains("server.listen = \"127.0.0.1:5000\"  # HELIOGRAPH_SERVER__LISTEN"), "{text}");
        assert!(text.contains("server.drain = \"20s\"  # default"), "{text}");
        assert!(text.contains("webhooks.secret = [redacted]  # HELIOGRAPH_WEBHOOKS__SECRET"), "{text}");
        assert!(text.contains("warning: `serve` would not start: auth.api_keys"), "{text}");
        assert!(!text.contains("do-not-show-this-secret"), "{text}");
    }
}
