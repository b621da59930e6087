//! Subscriptions: a tenant's own, and the partner application's, which hear of every tenant.
//!
//! [`Webhooks`] creates, changes and finds them and knows which have failed for too long.
//! Invariants: the secret of a subscription is never shown again; one that failed for 48 hours in
//! at least 100 attempts is switched off.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::StatusCode;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::answer::{Complaint, Refusal};
use super::clock::Moment;
use super::config::Config;

mod check;
pub(super) mod template;

/// Aurora's limit for one event and one owner.
const PER_EVENT: usize = 5;

/// A subscription is switched off after failing this often, …
const FAILURES_TO_DISABLE: u32 = 100;
/// … for this long. Scaled like the retries.
const FAILING_TO_DISABLE: Duration = Duration::from_secs(48 * 60 * 60);

/// Whose subscription it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner {
    /// The partner application's.
    Partner,
    /// A tenant's.
    Tenant(String),
}

/// How a call proves that it comes from Aurora.
#[derive(Debug, Clone)]
pub(super) enum Auth {
    Header { name: String, value: SecretString },
    Basic { user: String, password: SecretString },
}

/// One subscription.
#[derive(Debug, Clone)]
pub(super) struct Subscription {
    pub(super) id: String,
    pub(super) owner: Owner,
    pub(super) event: String,
    pub(super) url_template: String,
    pub(super) description: Option<String>,
    pub(super) enabled: bool,
    pub(super) auth: Option<Auth>,
    pub(super) created_at: Moment,
    failing_since: Option<Moment>,
    failures: u32,
}

impl Subscription {
    /// The subscription as it is shown; the secret stays inside.
    pub(super) fn json(&self) -> Value {
        let mut object = json!({
            "id": self.id,
            "event": self.event,
            "url_template": self.url_template,
            "description": self.description,
            "enabled": self.enabled,
            "created_at": self.created_at.spaced(),
        });
        match &self.auth {
            Some(Auth::Header { name, .. }) => object["header_auth_key"] = json!(name),
            Some(Auth::Basic { user, .. }) => object["basic_auth_username"] = json!(user),
            None => {}
        }
        object
    }
}

/// Every subscription.
#[derive(Debug, Default)]
pub(super) struct Webhooks {
    by_id: BTreeMap<String, Subscription>,
    created: u64,
}

impl Webhooks {
    pub(super) fn create(
        &mut self,
        owner: Owner,
        body: &Map<String, Value>,
        config: &Config,
        now: Moment,
    ) -> Result<Value, Refusal> {
        let mut complaints = Vec::new();
        for name in ["event", "url_template"] {
            if !body.contains_key(name) {
                complaints.push(Complaint::new(name, "can't be blank"));
            }
        }
        if !complaints.is_empty() {
            return Err(Refusal::invalid(complaints));
        }
        let words = ["webhook", &config.seed.to_string(), &(self.created + 1).to_string()];
        let blank = Subscription {
            id: super::dice::Dice::of(&words).id(config.opaque_ids),
            owner,
            event: String::new(),
            url_template: String::new(),
            description: None,
            enabled: true,
            auth: None,
            created_at: now,
            failing_since: None,
            failures: 0,
        };
        let subscription = check::merged(&blank, body, config).map_err(Refusal::invalid)?;
        self.check_room(&subscription)?;
        self.created += 1;
        let shown = subscription.json();
        self.by_id.insert(subscription.id.clone(), subscription);
        Ok(shown)
    }

    pub(super) fn update(
        &mut self,
        owner: &Owner,
        id: &str,
        body: &Map<String, Value>,
        config: &Config,
    ) -> Result<Value, Refusal> {
        let old = self.find(owner, id)?;
        let mut new = check::merged(old, body, config).map_err(Refusal::invalid)?;
        if new.event != old.event {
            self.check_room(&new)?;
        }
        if new.enabled {
            // Switched on again by hand, it starts with a clean record.
            (new.failing_since, new.failures) = (None, 0);
        }
        let shown = new.json();
        self.by_id.insert(new.id.clone(), new);
        Ok(shown)
    }

    fn check_room(&self, new: &Subscription) -> Result<(), Refusal> {
        let same = self.by_id.values().filter(|it| it.owner == new.owner && it.event == new.event);
        if same.count() < PER_EVENT {
            return Ok(());
        }
        let message = format!("has {PER_EVENT} subscriptions already");
        Err(Refusal::invalid(vec![Complaint::new("event", &message)]))
    }

    pub(super) fn find(&self, owner: &Owner, id: &str) -> Result<&Subscription, Refusal> {
        self.by_id.get(id).filter(|it| it.owner == *owner).ok_or_else(Refusal::not_found)
    }

    pub(super) fn list(&self, owner: &Owner) -> Vec<Value> {
        let mut own: Vec<&Subscription> = self.by_id.values().filter(|it| it.owner == *owner).collect();
        own.sort_by_key(|it| it.created_at);
        own.into_iter().map(Subscription::json).collect()
    }

    pub(super) fn delete(&mut self, owner: &Owner, id: &str) -> Result<StatusCode, Refusal> {
        self.find(owner, id)?;
        self.by_id.remove(id);
        Ok(StatusCode::NO_CONTENT)
    }

    /// Who wants to hear of a tenant's event: id, owner, template.
    pub(super) fn listening(&self, tenant: &str, event: &str) -> Vec<(String, Owner, String)> {
        let hears = |it: &&Subscription| match &it.owner {
            Owner::Partner => true,
            Owner::Tenant(own) => own == tenant,
        };
        self.by_id
            .values()
            .filter(|it| it.enabled && it.event == event)
            .filter(hears)
            .map(|it| (it.id.clone(), it.owner.clone(), it.url_template.clone()))
            .collect()
    }

    /// The subscription, while it is switched on.
    pub(super) fn enabled(&self, id: &str) -> Option<&Subscription> {
        self.by_id.get(id).filter(|it| it.enabled)
    }

    /// Keeps the record of attempts, and switches off what has failed for too long.
    pub(super) fn attempted(&mut self, id: &str, succeeded: bool, scale: f64, now: Moment) {
        let Some(it) = self.by_id.get_mut(id) else { return };
        if succeeded {
            (it.failing_since, it.failures) = (None, 0);
            return;
        }
        it.failures += 1;
        let since = *it.failing_since.get_or_insert(now);
        let long_enough = since.until(now) >= super::clock::scaled(FAILING_TO_DISABLE, scale);
        if long_enough && it.failures >= FAILURES_TO_DISABLE {
            it.enabled = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_one() -> (Webhooks, String) {
        let mut webhooks = Webhooks::default();
        let body = json!({"event": "project_created", "url_template": "http://localhost/x"});
        let owner = Owner::Tenant("t1".to_owned());
        let made =
            webhooks.create(owner, body.as_object().unwrap(), &Config::default(), Moment::at_second(0));
        let id = made.unwrap()["id"].as_str().unwrap().to_owned();
        (webhooks, id)
    }

    #[test]
    fn a_subscription_that_fails_for_two_days_and_a_hundred_times_is_switched_off() {
        let (mut webhooks, id) = with_one();
        let two_days = 48 * 60 * 60;
        for _ in 0..150 {
            webhooks.attempted(&id, false, 1.0, Moment::at_second(0));
        }
        assert!(webhooks.enabled(&id).is_some());
        webhooks.attempted(&id, false, 1.0, Moment::at_second(two_days));
        assert!(webhooks.enabled(&id).is_none());
    }

    #[test]
    fn one_success_clears_the_record() {
        let (mut webhooks, id) = with_one();
        for _ in 0..150 {
            webhooks.attempted(&id, false, 1.0, Moment::at_second(0));
        }
        webhooks.attempted(&id, true, 1.0, Moment::at_second(1));
        webhooks.attempted(&id, false, 1.0, Moment::at_second(48 * 60 * 60));
        assert!(webhooks.enabled(&id).is_some());
    }

    #[test]
    fn a_tenants_subscription_is_found_and_heard_by_that_tenant_only() {
        let (webhooks, id) = with_one();
        assert!(webhooks.find(&Owner::Tenant("t2".to_owned()), &id).is_err());
        assert!(webhooks.find(&Owner::Partner, &id).is_err());
        assert!(webhooks.listening("t2", "project_created").is_empty());
        assert_eq!(webhooks.listening("t1", "project_created").len(), 1);
    }
}
