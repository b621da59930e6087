//! Which webhooks Aurora must hold so that the gateway hears of everything, and the calls that make it so.
//!
//! Invariants: [`ensure`] can be repeated: what is right already is only given the current secret again, because Aurora
//! never shows the one it has. [`Registrations`] only looks, and seldom. Not here: who is told what it saw.

mod check;

use secrecy::SecretString;
use url::Url;

use crate::aurora::{Aurora, Error, NewWebhook, Webhook};

pub use check::{Checked, Registrations, State, Subscription};

/// An event that is subscribed to.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    event: &'static str,
    /// The placeholders that Aurora documents for it. `<TENANT_ID>` and `<SESSION_TOKEN>` come on top, which Aurora demands
    /// of a partner application, and `<JOB_ID>`, by which repeats are told.
    parameters: &'static [&'static str],
    /// Whether the gateway cannot do without it. Aurora does not offer every event to every type of application.
    required: bool,
}

/// Everything that is subscribed to.
const EVENTS: [Wanted; 6] = [
    wanted("performance_simulation_job_completed", &["design_id", "status"], true),
    wanted("design_created", &["project_id", "design_id", "source"], true),
    wanted("project_created", &["project_id", "source"], true),
    wanted("project_changed", &["project_id", "source", "attributes"], true),
    wanted("agreement_status_changed", &["project_id", "agreement_id", "status"], true),
    wanted("app_status_changed", &["app_id", "status"], false),
];

const fn wanted(event: &'static str, parameters: &'static [&'static str], required: bool) -> Wanted {
    Wanted { event, parameters, required }
}

/// What Aurora is told about where and how to call.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where Aurora reaches this gateway; its path ends in a slash.
    pub public_url: Url,
    /// The header that carries the secret.
    pub header: String,
    /// The secret.
    pub secret: SecretString,
}

/// What became of one subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// It was missing.
    Created,
    /// It led elsewhere or was switched off.
    Corrected,
    /// It was right; its secret was sent again.
    Kept,
    /// Aurora does not offer the event to this application, which can do without.
    NotOffered,
}

/// Registers what is missing and corrects what leads elsewhere. Subscriptions of other gateways stay as they are.
///
/// # Errors
/// At the first call that Aurora refuses; what was done before stays done.
pub async fn ensure(aurora: &Aurora, target: &Target) -> Result<Vec<(&'static str, Done)>, Error> {
    let known = aurora.webhooks().await?;
    let mut report = Vec::with_capacity(EVENTS.len());
    for wanted in EVENTS {
        let new = registration(target, wanted);
        let done = match known.iter().find(|it| is_ours(it, target, wanted.event)) {
            None => match aurora.create_webhook(&new).await {
                Ok(_) => Done::Created,
                Err(Error::Rejected { .. } | Error::Forbidden | Error::NotFound) if !wanted.required => {
                    Done::NotOffered
                }
                Err(error) => return Err(error),
            },
            Some(webhook) => {
                aurora.update_webhook(&webhook.id, &new).await?;
                if state(webhook, &new) == State::Registered { Done::Kept } else { Done::Corrected }
            }
        };
        report.push((wanted.event, done));
    }
    Ok(report)
}

fn registration(target: &Target, wanted: Wanted) -> NewWebhook {
    let event = wanted.event;
    NewWebhook {
        event: event.to_owned(),
        url_template: template(target, event, wanted.parameters),
        description: Some(format!("heliograph: {event}")),
        enabled: true,
        header: target.header.clone(),
        secret: target.secret.clone(),
    }
}

fn template(target: &Target, event: &str, parameters: &[&str]) -> String {
    let all = ["tenant_id", "session_token", "job_id"].iter().chain(parameters);
    let query: Vec<_> = all.map(|name| format!("{name}=<{}>", name.to_uppercase())).collect();
    format!("{}?{}", address(target, event), query.join("&"))
}

fn address(target: &Target, event: &str) -> String {
    format!("{}webhooks/aurora/{event}", target.public_url)
}

/// A subscription for the same event at the same address is ours, whatever its query says.
fn is_ours(webhook: &Webhook, target: &Target, event: &str) -> bool {
    let leads_here = webhook.url_template.as_deref().and_then(|url| url.split('?').next());
    webhook.event.as_deref() == Some(event) && leads_here == Some(&address(target, event))
}

/// How a subscription of ours differs from what it shall be, as far as Aurora shows it.
fn state(webhook: &Webhook, wanted: &NewWebhook) -> State {
    let same = webhook.url_template.as_deref() == Some(&wanted.url_template)
        && webhook.header.as_deref() == Some(&wanted.header);
    match webhook.enabled {
        Some(true) if same => State::Registered,
        Some(false) => State::Disabled,
        _ => State::Differs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        Target {
            public_url: Url::parse("https://gateway.crm.example/").unwrap(),
            header: "X-Heliograph-Webhook-Token".into(),
            secret: SecretString::from("secret"),
        }
    }

    #[test]
    fn every_template_names_tenant_session_and_job() {
        for wanted in EVENTS {
            let template = template(&target(), wanted.event, wanted.parameters);
            assert!(template.starts_with("https://gateway.crm.example/webhooks/aurora/"), "{template}");
            let always = "tenant_id=<TENANT_ID>&session_token=<SESSION_TOKEN>&job_id=<JOB_ID>";
            assert!(template.contains(always), "{template}");
        }
    }
}
