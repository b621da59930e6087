//! What operators see: fields that need the scope `admin`.

use async_graphql::{Context, Object, SimpleObject};

use super::{connection, context::Reach, error, event::EventParameter, scalar::DateTime};
use crate::{
    domain::{Delivery, Scope},
    journal,
};

/// The root fields of this noun.
#[derive(Default)]
pub struct AdminQuery;

#[Object]
impl AdminQuery {
    /// Deliveries from Aurora that were authentic but named no tenant, and for which no default tenant is configured: they
    /// are kept aside, and announced if it is learnt whose they are. Needs the scope `admin`.
    async fn set_aside_deliveries(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "How many at the most: 20 unless given, 100 at the most unless the operator says otherwise."
        )]
        first: Option<i32>,
    ) -> async_graphql::Result<SetAsideDeliveries> {
        ctx.asked().may(Scope::Admin)?;
        let first = connection::page_size(first, ctx.parts().page_size)?;
        let aside = ctx.parts().journal.aside(first as usize).await;
        let aside = aside.map_err(|error: journal::Error| error::store(&error))?;
        Ok(SetAsideDeliveries {
            total: i32::try_from(aside.total).unwrap_or(i32::MAX),
            newest: aside
                .newest
                .into_iter()
                .map(|waiting| SetAsideDelivery::from(waiting.delivery))
                .collect(),
        })
    }
}

/// Deliveries that could not be given to any tenant.
#[derive(SimpleObject)]
pub struct SetAsideDeliveries {
    /// How many there are.
    total: i32,
    /// The newest of them, newest first.
    newest: Vec<SetAsideDelivery>,
}

/// A delivery that could not be given to any tenant.
#[derive(SimpleObject)]
pub struct SetAsideDelivery {
    /// Aurora's name for the event.
    name: String,
    /// When it reached this gateway.
    received_at: DateTime,
    /// What it said, in its order; Aurora's session token excepted.
    parameters: Vec<EventParameter>,
}

impl From<Delivery> for SetAsideDelivery {
    fn from(delivery: Delivery) -> Self {
        Self {
            received_at: DateTime(delivery.received_at),
            parameters: super::event::kind::parameters(&delivery),
            name: delivery.name,
        }
    }
}
