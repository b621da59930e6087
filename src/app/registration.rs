//! Which webhooks Aurora must hold so that the gateway hears of everything, and the calls that make it so.
//!
//! Invariant: `ensure` can be repeated: what is right already is only given the current secret again, because Aurora
//! never shows the one it has.

use secrecy::SecretString;
use url::Url;

use crate::aurora::{Aurora, Error, NewWebhook, Webhook};

/// The events that are subscribed to, with the placeholders that Aurora documents for each. `<TENANT_ID>` and
/// `<SESSION_TOKEN>` come on top, which Aurora demands of a partner application, and `<JOB_ID>`, by which repeats are told.
const EVENTS: [(&str, &[&str]); 5] = [
    ("performance_simulation_job_completed", &["design_id", "status"]),
    ("design_created", &["project_id", "design_id", "source"]),
    ("project_created", &["project_id", "source"]),
    ("project_changed", &["project_id", "source", "attributes"]),
    ("agreement_status_changed", &["project_id", "agreement_id", "status"]),
];

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
}

/// Registers what is missing and corrects what leads elsewhere. Subscriptions of other gateways stay as they are.
///
/// # Errors
/// At the first call that Aurora refuses; what was done before stays done.
pub async fn ensure(aurora: &Aurora, target: &Target) -> Result<Vec<(&'static str, Done)>, Error> {
    let known = aurora.webhooks().await?;
    let mut report = Vec::with_capacity(EVENTS.len());
    for (event, parameters) in EVENTS {
        let wanted = wanted(target, event, parameters);
        let done = match known.iter().find(|it| is_ours(it, target, event)) {
            None => {
                aurora.create_webhook(&wanted).await?;
                Done::Created
            }
            Some(webhook) => {
                aurora.update_webhook(&webhook.id, &wanted).await?;
                if is_right(webhook, &wanted) { Done::Kept } else { Done::Corrected }
            }
        };
        report.push((event, done));
    }
    Ok(report)
}

fn wanted(target: &Target, event: &str, parameters: &[&str]) -> NewWebhook {
    NewWebhook {
        event: event.to_owned(),
        url_template: template(target, event, parameters),
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

fn is_right(webhook: &Webhook, wanted: &NewWebhook) -> bool {
    webhook.url_template.as_deref() == Some(&wanted.url_template)
        && webhook.enabled == Some(true)
        && webhook.header.as_deref() == Some(&wanted.header)
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
        for (event, parameters) in EVENTS {
            let template = template(&target(), event, parameters);
            assert!(template.starts_with("https://gateway.crm.example/webhooks/aurora/"), "{template}");
            let always = "tenant_id=<TENANT_ID>&session_token=<SESSION_TOKEN>&job_id=<JOB_ID>";
            assert!(template.contains(always), "{template}");
        }
    }
}
