//! What Aurora demands of a subscription.

use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use url::{Host, Url};

use super::super::answer::Complaint;
use super::super::config::Config;
use super::{Auth, Owner, Subscription, template};

/// Every event Aurora is known to send, the names of before 2022 included.
const EVENTS: [&str; 39] = [
    "agreement_download_url_job_completed",
    "agreement_status_changed",
    "ahj_lookup_completed",
    "ai_roof_job_completed",
    "app_status_changed",
    "asset_created",
    "auto_designer_job_completed",
    "auto_designer_job_completion",
    "consumption_profile_changed",
    "design_created",
    "design_deleted",
    "design_request_completed",
    "design_request_completion",
    "design_request_created",
    "design_request_rejected",
    "design_request_rejection",
    "eagleview_design_request_created",
    "eagleview_design_request_status_changed",
    "financier_contract_status_changed",
    "fire_pathway_placement_job_completed",
    "imagery_lidar_completed",
    "irradiance_analysis_job_completion",
    "lead_changed",
    "lead_converted",
    "lead_created",
    "milestone_created",
    "milestone_shared",
    "order_created",
    "panel_irradiance_analysis_job_completed",
    "performance_simulation_job_completed",
    "plan_set_request_status_changed",
    "project_changed",
    "project_created",
    "project_deleted",
    "project_status_changed",
    "proposal_pdf_generation_job_completed",
    "site_survey_requested",
    "site_survey_status_changed",
    "web_proposal_url_created",
];

/// The subscription with a body's members in place of its own, if Aurora would have it.
pub(super) fn merged(
    old: &Subscription,
    body: &Map<String, Value>,
    config: &Config,
) -> Result<Subscription, Vec<Complaint>> {
    let mut new = old.clone();
    let mut complaints = Vec::new();
    let mut text = |name: &str| match body.get(name) {
        Some(Value::String(text)) => Some(text.clone()),
        None => None,
        Some(_) => {
            complaints.push(Complaint::new(name, "must be a string"));
            None
        }
    };
    if let Some(event) = text("event") {
        new.event = event;
    }
    if let Some(url_template) = text("url_template") {
        new.url_template = url_template;
    }
    if let Some(description) = text("description") {
        new.description = Some(description);
    }
    let header = (text("header_auth_key"), text("header_auth_value"));
    let basic = (text("basic_auth_username"), text("basic_auth_password"));
    match body.get("enabled") {
        None => {}
        Some(Value::Bool(enabled)) => new.enabled = *enabled,
        Some(_) => complaints.push(Complaint::new("enabled", "must be a boolean")),
    }
    set_auth(&mut new, header, basic, &mut complaints);
    check(&new, config, &mut complaints);
    if complaints.is_empty() { Ok(new) } else { Err(complaints) }
}

type Pair = (Option<String>, Option<String>);

fn set_auth(new: &mut Subscription, header: Pair, basic: Pair, complaints: &mut Vec<Complaint>) {
    let header = completed(header, new.auth.as_ref(), |auth| match auth {
        Auth::Header { name, value } => Some((name, value)),
        Auth::Basic { .. } => None,
    });
    let basic = completed(basic, new.auth.as_ref(), |auth| match auth {
        Auth::Basic { user, password } => Some((user, password)),
        Auth::Header { .. } => None,
    });
    match (header, basic) {
        ((None, None), (None, None)) => {}
        ((Some(name), Some(value)), (None, None)) => {
            if axum::http::HeaderName::from_bytes(name.as_bytes()).is_err() {
                complaints.push(Complaint::new("header_auth_key", "is not a header name"));
            }
            if axum::http::HeaderValue::from_str(&value).is_err() {
                complaints.push(Complaint::new("header_auth_value", "is not a header value"));
            }
            new.auth = Some(Auth::Header { name, value: SecretString::from(value) });
        }
        ((None, None), (Some(user), Some(password))) => {
            new.auth = Some(Auth::Basic { user, password: SecretString::from(password) });
        }
        _ => complaints.push(Complaint::new("auth", "needs a complete header pair or a complete basic pair")),
    }
}

/// Half a pair takes its other half from the pair there was, so that a secret can be changed alone.
fn completed(given: Pair, old: Option<&Auth>, pair: fn(&Auth) -> Option<(&String, &SecretString)>) -> Pair {
    match (given, old.and_then(pair)) {
        ((Some(name), None), Some((_, value))) => (Some(name), Some(value.expose_secret().to_owned())),
        ((None, Some(value)), Some((name, _))) => (Some(name.clone()), Some(value)),
        (given, _) => given,
    }
}

fn check(new: &Subscription, config: &Config, complaints: &mut Vec<Complaint>) {
    if !EVENTS.contains(&new.event.as_str()) {
        complaints.push(Complaint::new("event", "is not included in the list"));
    }
    let sample = template::fill(&new.url_template, &[]);
    let url = Url::parse(&sample).ok().filter(|it| it.has_host() && ["http", "https"].contains(&it.scheme()));
    let Some(url) = url else {
        complaints.push(Complaint::new("url_template", "is not a valid URL"));
        return;
    };
    if new.owner != Owner::Partner {
        return;
    }
    if config.require_https && url.scheme() != "https" && !is_loopback(&url) {
        complaints.push(Complaint::new("url_template", "must be HTTPS"));
    }
    if !config.strict_webhooks {
        return;
    }
    let names = template::names(&new.url_template);
    for name in ["SESSION_TOKEN", "TENANT_ID"] {
        if !names.contains(&name) {
            complaints.push(Complaint::new("url_template", &format!("must contain <{name}>")));
        }
    }
    // A user name in the URL is basic authentication too.
    if new.auth.is_none() && url.username().is_empty() {
        complaints.push(Complaint::new("auth", "is required: header or basic authentication"));
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    }
}
