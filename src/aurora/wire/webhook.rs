//! `{"partner_application_webhook": {…}}`. How Aurora wraps its answer is not published, so the tenant's form,
//! the older spelling and a bare object are read as well.

use secrecy::ExposeSecret;
use serde::Serialize;

use super::{
    Unreadable,
    block::{Block, answer},
};
use crate::aurora::{NewWebhook, Webhook};

const ONE: [&str; 3] = ["partner_application_webhook", "application_partner_webhook", "webhook"];
const MANY: [&str; 3] = ["partner_application_webhooks", "application_partner_webhooks", "webhooks"];

/// Reads one subscription.
pub(in crate::aurora) fn webhook(body: &[u8]) -> Result<Webhook, Unreadable> {
    let answer = answer(body)?;
    let wrapped = ONE.into_iter().find_map(|name| answer.block(name));
    let block = wrapped.as_ref().unwrap_or(&answer);
    read(block).ok_or(Unreadable("the webhook has no id"))
}

/// Reads all subscriptions. One without an id cannot be changed and is left out.
pub(in crate::aurora) fn webhooks(body: &[u8]) -> Result<Vec<Webhook>, Unreadable> {
    let answer = answer(body)?;
    let list = MANY.into_iter().find_map(|name| {
        answer
            .wrapped_list(name, |it| {
                let inner = ONE.into_iter().find_map(|name| it.block(name));
                read(inner.as_ref().unwrap_or(&it))
            })
            .ok()
    });
    list.map(|it| it.into_iter().flatten().collect()).ok_or(Unreadable("the list of webhooks is missing"))
}

fn read(block: &Block<'_>) -> Option<Webhook> {
    Some(Webhook {
        id: block.text("id")?,
        event: block.text("event"),
        url_template: block.text("url_template"),
        description: block.text("description"),
        enabled: block.flag("enabled"),
        header: block.text("header_auth_key"),
    })
}

/// The body that makes or changes a subscription.
pub(in crate::aurora) fn new_webhook(new: &NewWebhook) -> Result<Vec<u8>, Unreadable> {
    let body = Wrapped {
        partner_application_webhook: Body {
            event: &new.event,
            url_template: &new.url_template,
            description: new.description.as_deref(),
            enabled: new.enabled,
            header_auth_key: &new.header,
            header_auth_value: new.secret.expose_secret(),
        },
    };
    serde_json::to_vec(&body).map_err(|_| Unreadable("the webhook cannot be written"))
}

#[derive(Serialize)]
struct Wrapped<'a> {
    partner_application_webhook: Body<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    event: &'a str,
    url_template: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    enabled: bool,
    header_auth_key: &'a str,
    header_auth_value: &'a str,
}
