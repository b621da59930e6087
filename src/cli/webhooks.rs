//! `heliograph webhooks`: what Aurora holds for the partner application.

use anyhow::Context;

use crate::{app, cli::Webhooks, clock::Clock, config::Config, registration};

/// Lists, registers or deletes.
#[expect(clippy::print_stdout, reason = "printing is what the command is for")]
pub(super) fn run(command: &Webhooks) -> anyhow::Result<()> {
    let file = match command {
        Webhooks::List(file) | Webhooks::Ensure(file) => file,
        Webhooks::Delete(delete) => &delete.config,
    };
    let config = Config::from_process(file.path.as_deref())?;
    let aurora = app::aurora(&config, Clock::system())?;
    super::runtime()?.block_on(async {
        match command {
            Webhooks::List(_) => {
                let webhooks = aurora.webhooks().await.context("Aurora did not list the webhooks")?;
                if webhooks.is_empty() {
                    println!(
                        "Aurora holds no webhook for this application: run `heliograph webhooks ensure`"
                    );
                }
                for it in webhooks {
                    println!(
                        "{}  {}  {}  {}",
                        it.id,
                        if it.enabled == Some(false) { "off" } else { "on" },
                        it.event.as_deref().unwrap_or("(no event)"),
                        it.url_template.as_deref().unwrap_or("(no url)"),
                    );
                }
            }
            Webhooks::Ensure(_) => {
                let target = app::webhook_target(&config)?;
                let done = registration::ensure(&aurora, &target).await;
                for (event, done) in done.context("Aurora did not take the webhooks")? {
                    let word = match done {
                        registration::Done::Created => "created",
                        registration::Done::Corrected => "corrected",
                        registration::Done::Kept => "kept",
                        registration::Done::NotOffered => "not offered",
                    };
                    println!("{word}  {event}");
                }
            }
            Webhooks::Delete(delete) => {
                aurora.delete_webhook(&delete.id).await.context("Aurora did not delete the webhook")?;
                println!("deleted  {}", delete.id);
            }
        }
        anyhow::Ok(())
    })
}
