//! How Aurora's webhooks fare, for operators: what came, what was announced, what waits, and what Aurora holds.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};

use super::{Fallible, connection, context::Reach, error, event::EventType, scalar::DateTime};
use crate::{
    domain::{EventKind, Scope, TenantId, viewer::Tenants},
    journal::{Health, Tally},
    registration::{self, Checked},
};

/// The root fields of this noun.
#[derive(Default)]
pub struct HealthQuery;

#[Object]
impl HealthQuery {
    /// How Aurora's webhooks fare: when the last ones came, what waits to be announced and for how long, what was set aside,
    /// and whether Aurora still holds the gateway's subscriptions. Needs the scope `admin`.
    async fn webhook_health(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Only this tenant; without it, every tenant that the credential reaches and of which anything came, the latest first."
        )]
        tenant_id: Option<ID>,
        #[graphql(
            desc = "How many tenants at the most: 20 unless given, 100 at the most unless the operator says otherwise."
        )]
        first: Option<i32>,
    ) -> async_graphql::Result<WebhookHealth> {
        let asked = ctx.asked();
        asked.may(Scope::Admin)?;
        let first = connection::page_size(first, ctx.parts().page_size)? as usize;
        let journal = &ctx.parts().journal;
        let failed = |failed| error::store(&failed);
        let tenants = match &tenant_id {
            Some(_) => vec![asked.tenant(tenant_id.as_ref())?],
            None => match asked.viewer.tenants() {
                Tenants::All => journal.tenants(first).await.map_err(failed)?,
                Tenants::Only(these) => these.iter().take(first).cloned().collect(),
            },
        };
        let aside = journal.aside(0).await.map_err(failed)?;
        let tenants = journal.health(tenants).await.map_err(failed)?;
        Ok(WebhookHealth { set_aside: aside.total, tenants })
    }
}

/// How webhooks fare.
pub struct WebhookHealth {
    set_aside: u64,
    tenants: Vec<Health>,
}

/// How Aurora's webhooks fare.
#[Object]
impl WebhookHealth {
    /// Deliveries that could not be given to any tenant and are kept: see `setAsideDeliveries`.
    async fn set_aside(&self) -> i32 {
        count(self.set_aside)
    }

    /// By tenant.
    async fn tenants(&self) -> Vec<TenantWebhookHealth<'_>> {
        self.tenants.iter().map(TenantWebhookHealth).collect()
    }

    /// The gateway's subscriptions at Aurora, as they were some minutes ago at the most. Null where the gateway has no
    /// partner application, no `server.public_url` or no `webhooks.secret`, and so registers none. Costs at most one call to
    /// Aurora.
    async fn subscriptions(&self, ctx: &Context<'_>) -> Fallible<WebhookSubscriptions> {
        let checked = ctx.parts().registrations.check().await.transpose()?;
        Some(
            checked
                .map(WebhookSubscriptions)
                .map_err(|failed| error::public("list of webhooks", &failed).into()),
        )
    }
}

struct TenantWebhookHealth<'a>(&'a Health);

/// How one tenant's webhooks fare.
#[Object]
impl TenantWebhookHealth<'_> {
    /// Aurora's id of the tenant.
    async fn tenant_id(&self) -> ID {
        tenant_id(&self.0.tenant)
    }

    /// When Aurora last delivered anything of the tenant. Null where nothing ever came, or nothing for over a year.
    async fn last_received_at(&self) -> Option<DateTime> {
        self.0.events.iter().filter_map(|it| it.received_at).max().map(DateTime)
    }

    /// When an event of the tenant was last announced.
    async fn last_announced_at(&self) -> Option<DateTime> {
        self.0.events.iter().filter_map(|it| it.announced_at).max().map(DateTime)
    }

    /// Deliveries that are kept and not announced yet. Some are for a moment; many, or old ones, mean that Aurora is out, that
    /// its allowance is spent, or that the tenant is not connected.
    async fn waiting(&self) -> i32 {
        count(self.0.events.iter().map(|it| it.waiting).sum())
    }

    /// When the oldest of those came.
    async fn waiting_since(&self) -> Option<DateTime> {
        self.0.events.iter().filter_map(|it| it.waiting_since).min().map(DateTime)
    }

    /// Since when the tenant has the application switched off in Aurora; null where it is on.
    async fn switched_off_since(&self) -> Option<DateTime> {
        self.0.switched_off.map(DateTime)
    }

    /// When the tenant's recent designs were last all compared with what was announced.
    async fn reconciled_at(&self) -> Option<DateTime> {
        self.0.reconciled_at.map(DateTime)
    }

    /// By event, in the order of their names.
    async fn events(&self) -> Vec<WebhookEventHealth<'_>> {
        self.0.events.iter().map(WebhookEventHealth).collect()
    }
}

struct WebhookEventHealth<'a>(&'a Tally);

/// How one tenant's deliveries of one event fare.
#[Object]
impl WebhookEventHealth<'_> {
    /// Aurora's name for the event.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What kind of event it is.
    #[graphql(name = "type")]
    async fn kind(&self) -> EventType {
        EventKind::of(&self.0.name).into()
    }

    /// When Aurora last delivered it.
    async fn last_received_at(&self) -> Option<DateTime> {
        self.0.received_at.map(DateTime)
    }

    /// When one was last announced.
    async fn last_announced_at(&self) -> Option<DateTime> {
        self.0.announced_at.map(DateTime)
    }

    /// Deliveries that were kept, ever.
    async fn received(&self) -> i32 {
        count(self.0.received)
    }

    /// Events that were announced, ever.
    async fn announced(&self) -> i32 {
        count(self.0.announced)
    }

    /// Of those, events whose delivery never came and that were found by looking.
    async fn reconciled(&self) -> i32 {
        count(self.0.reconciled)
    }

    /// Deliveries that had come before, since this process started.
    async fn repeats(&self) -> i32 {
        count(self.0.repeats)
    }

    /// Deliveries that are kept and not announced yet.
    async fn waiting(&self) -> i32 {
        count(self.0.waiting)
    }

    /// When the oldest of those came.
    async fn waiting_since(&self) -> Option<DateTime> {
        self.0.waiting_since.map(DateTime)
    }
}

struct WebhookSubscriptions(Arc<Checked>);

/// What Aurora holds of the gateway's subscriptions.
#[Object]
impl WebhookSubscriptions {
    /// When Aurora was asked.
    async fn checked_at(&self) -> DateTime {
        DateTime(self.0.at)
    }

    /// Whether every subscription that is required is as it shall be. Where it is not, `heliograph webhooks ensure` repairs it.
    async fn sound(&self) -> bool {
        self.0.is_sound()
    }

    /// One for each event that the gateway wants to hear of.
    async fn nodes(&self) -> Vec<WebhookSubscription> {
        self.0.subscriptions.iter().map(WebhookSubscription::from).collect()
    }
}

/// One subscription of the gateway at Aurora.
#[derive(SimpleObject)]
struct WebhookSubscription {
    /// Aurora's name for the event.
    event: &'static str,
    /// How it is.
    state: WebhookSubscriptionState,
    /// Whether the gateway cannot do without. Aurora does not offer every event to every type of application.
    required: bool,
    /// Aurora's id of it, where there is one.
    id: Option<ID>,
    /// Where Aurora calls, with its placeholders, where there is one.
    url_template: Option<String>,
}

impl From<&registration::Subscription> for WebhookSubscription {
    fn from(it: &registration::Subscription) -> Self {
        Self {
            event: it.event,
            state: it.state.into(),
            required: it.required,
            id: it.id.clone().map(ID),
            url_template: it.url_template.clone(),
        }
    }
}

/// How a subscription at Aurora is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "registration::State")]
pub enum WebhookSubscriptionState {
    /// It is there and as it shall be; its secret is not looked at, since Aurora does not show it.
    Registered,
    /// It is switched off: by a person, or by Aurora because deliveries failed for two days.
    Disabled,
    /// It calls with other parameters or another header.
    Differs,
    /// There is none that leads to this gateway.
    Missing,
}

fn tenant_id(tenant: &TenantId) -> ID {
    tenant.as_str().into()
}

/// GraphQL's integers end at two thousand million; a count beyond that is not looked at for its last digits.
fn count(number: u64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
