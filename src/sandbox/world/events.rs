//! How something that happened becomes calls of webhooks.

use std::time::Duration;

use serde_json::Value;

use super::super::agenda::Task;
use super::super::answer::Refusal;
use super::super::clock::Moment;
use super::super::deliver::Delivery;
use super::super::webhook::{Owner, template};
use super::super::{dice, keys};
use super::World;

/// How long every second delivery is held back when reordering: longer than a receiver on the
/// same machine needs, so that the next one overtakes it.
const HELD_BACK: Duration = Duration::from_millis(200);

/// What the log says of a delivery that was lost on demand.
const LOST: &str = "lost, as the settings ask";

/// Which of a hundred are lost: spread over them, and the same in every run. 37 shares no factor with 100.
fn is_lost(nth: u64, percent: u32) -> bool {
    nth.wrapping_mul(37) % 100 < u64::from(percent)
}

impl World {
    /// Plans a call of every subscription that listens; how many calls that is.
    ///
    /// Each call, each duplicate too, carries a session token of its own. A retry repeats its call
    /// to the letter, so on a late one the token may have expired.
    pub(in crate::sandbox) fn announce(
        &mut self,
        tenant: &str,
        event: &str,
        params: &[(&str, String)],
        now: Moment,
    ) -> usize {
        let app_enabled = self.account(tenant).is_ok_and(|it| it.app_enabled);
        let mut planned = 0;
        for (id, owner, url_template) in self.webhooks.listening(tenant, event) {
            if owner == Owner::Partner && !app_enabled {
                continue;
            }
            for copy in 0..=self.config.duplicates {
                let mut values = params.to_vec();
                let mut shown = params.to_vec();
                if owner == Owner::Partner {
                    let lifetime = self.config.session_token_lifetime;
                    let session = self.keys.issue_session(tenant, now, lifetime);
                    shown.push(("SESSION_TOKEN", keys::fingerprint(&session)));
                    values.push(("SESSION_TOKEN", session));
                    for list in [&mut values, &mut shown] {
                        list.push(("TENANT_ID", tenant.to_owned()));
                    }
                }
                let delivery = Delivery {
                    subscription: id.clone(),
                    event: event.to_owned(),
                    tenant: tenant.to_owned(),
                    url: template::fill(&url_template, &values),
                    shown_url: template::fill(&url_template, &shown),
                    attempt: 1,
                    copy,
                };
                self.plan_delivery(delivery, now);
                planned += 1;
            }
        }
        planned
    }

    /// Calls one subscription with given values for its parameters; with none given, all of them
    /// get values that lead nowhere, as Aurora's own test does.
    pub(in crate::sandbox) fn trigger(
        &mut self,
        owner: &Owner,
        id: &str,
        given: &[(String, String)],
        now: Moment,
    ) -> Result<Value, Refusal> {
        let subscription = self.webhooks.find(owner, id)?;
        let shown = subscription.json();
        let mut values: Vec<(&str, String)> =
            given.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        if values.is_empty() {
            let names = template::names(&subscription.url_template);
            values = names.into_iter().map(|name| (name, format!("test-{}", dice::secret()))).collect();
        }
        let url = template::fill(&subscription.url_template, &values);
        for (_, token) in values.iter_mut().filter(|(name, _)| *name == "SESSION_TOKEN") {
            *token = keys::fingerprint(token);
        }
        let delivery = Delivery {
            subscription: id.to_owned(),
            event: subscription.event.clone(),
            tenant: match owner {
                Owner::Partner => String::new(),
                Owner::Tenant(tenant) => tenant.clone(),
            },
            shown_url: template::fill(&subscription.url_template, &values),
            url,
            attempt: 1,
            copy: 0,
        };
        self.plan_delivery(delivery, now);
        Ok(shown)
    }

    /// Puts a first attempt on the agenda, or notes that it was full or the attempt lost.
    pub(in crate::sandbox) fn plan_delivery(&mut self, delivery: Delivery, now: Moment) {
        let nth = self.deliveries.next_planned();
        if is_lost(nth, self.config.lost_percent) {
            self.deliveries.dropped(&delivery, LOST, now);
            return;
        }
        let held = self.config.reorder && nth % 2 == 1;
        let due = if held { now.plus(HELD_BACK) } else { now };
        if !self.agenda.plan(due, Task::Deliver(delivery.clone())) {
            self.deliveries.dropped(&delivery, "the agenda is full", now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_any_hundred_deliveries_exactly_so_many_are_lost() {
        for percent in [0, 5, 33, 100] {
            let lost = (1_001..=1_100).filter(|nth| is_lost(*nth, percent)).count();
            assert_eq!(lost, percent as usize);
        }
    }
}
