//! Targets of deliveries: how each fares, and what an operator can do about it. All of it needs the scope `admin`.

use async_graphql::{Context, Enum, ID, InputObject, Object};

use super::{
    context::{Asked, Reach, not_found},
    create::UserError,
    error::{self, Code, Failure},
    scalar::{Cursor, DateTime},
};
use crate::{
    deliver::{Disabled, MOST_REPLAYS, NoAnswer, Report, State, Target, TooMany},
    domain::{Scope, Seq, TenantId, viewer::Tenants},
    journal::{self, Filter},
};

/// The root fields of this noun.
#[derive(Default)]
pub struct TargetQuery;

#[Object]
impl TargetQuery {
    /// Targets of deliveries, in the order of the configuration: CRMs that get events as signed webhooks because they
    /// cannot hold a socket. A credential that is bound to tenants sees those that get events of no other tenant. Needs the
    /// scope `admin`.
    async fn outbound_targets(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<OutboundTarget>> {
        ctx.asked().may(Scope::Admin)?;
        let mut all = Vec::new();
        for target in ctx.parts().outbound.targets().iter().filter(|it| may_know(ctx.asked(), it)) {
            let report = target.report().await.map_err(no_answer)?;
            all.push(OutboundTarget { target: target.clone(), report });
        }
        Ok(all)
    }
}

/// The mutations of this noun.
#[derive(Default)]
pub struct TargetMutation;

#[Object]
impl TargetMutation {
    /// Sends events of a tenant to a target once more, in their order. Each has the `webhook-id` that it had before, so that
    /// a receiver that keeps those ids does nothing twice. At most 64 requests of a tenant wait at a time; a further one is
    /// refused with `TOO_MANY_REDELIVERIES`. Needs the scope `admin`.
    async fn redeliver(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be sent, and to whom.")] input: RedeliverInput,
    ) -> async_graphql::Result<TargetPayload> {
        let asked = ctx.asked();
        asked.may(Scope::Admin)?;
        let target = find(ctx, &input.target)?;
        let tenant = tenant(asked, &target, input.tenant_id.as_ref())?;
        let open = |Cursor(text): &Cursor, name: &str| {
            let opened = ctx.parts().cursors.open(&tenant, text);
            let message = format!("{name} is no cursor of this tenant's events");
            opened.map_err(|_| Failure::new(Code::BadUserInput, message))
        };
        let (after, through) = match (&input.after, &input.only) {
            (Some(after), None) => (open(after, "after")?, None),
            (None, Some(only)) => {
                let seq = open(only, "only")?;
                (Seq(seq.0.saturating_sub(1)), Some(seq))
            }
            _ => {
                let message = "one of `after` and `only` says what is to be sent";
                return Ok(TargetPayload::refused("AFTER_OR_ONLY", message));
            }
        };
        let kept = ctx.parts().journal.events(&tenant, &Filter::default(), Some(after), 1).await;
        let refused = |error: journal::Error| error::journal(&ctx.parts().cursors, &tenant, &error);
        kept.map_err(refused)?;
        match target.redeliver(tenant.clone(), after, through).await.map_err(no_answer)? {
            Ok(report) => answer(target, Ok(report)),
            Err(TooMany) => {
                let message = format!(
                    "{MOST_REPLAYS} requests of this tenant wait for this target: ask again when one is through"
                );
                Ok(TargetPayload::refused("TOO_MANY_REDELIVERIES", message))
            }
        }
    }

    /// Sends to a disabled target again, from where it stopped: everything that is still kept, in order. For one that is
    /// failing: tries at once what waits. Needs the scope `admin`.
    async fn enable_target(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which target.")] input: TargetInput,
    ) -> async_graphql::Result<TargetPayload> {
        ctx.asked().may(Scope::Admin)?;
        let target = find(ctx, &input.target)?;
        let report = target.enable().await;
        answer(target, report)
    }

    /// Sends nothing more to a target until it is enabled. Its events wait as long as they are kept. Needs the scope
    /// `admin`.
    async fn disable_target(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which target.")] input: TargetInput,
    ) -> async_graphql::Result<TargetPayload> {
        ctx.asked().may(Scope::Admin)?;
        let target = find(ctx, &input.target)?;
        let report = target.disable().await;
        answer(target, report)
    }
}

fn find(ctx: &Context<'_>, name: &str) -> Result<Target, Failure> {
    let found = ctx.parts().outbound.target(name).filter(|it| may_know(ctx.asked(), it));
    found.cloned().ok_or_else(|| not_found("target"))
}

/// A credential that is bound to tenants knows the targets of those, and no other.
fn may_know(asked: &Asked, target: &Target) -> bool {
    match &target.tenants {
        Tenants::All => *asked.viewer.tenants() == Tenants::All,
        Tenants::Only(these) => these.iter().all(|tenant| asked.viewer.sees(tenant)),
    }
}

fn answer(target: Target, report: Result<Report, NoAnswer>) -> async_graphql::Result<TargetPayload> {
    let report = report.map_err(no_answer)?;
    Ok(TargetPayload { target: Some(OutboundTarget { target, report }), user_errors: Vec::new() })
}

fn no_answer(_: NoAnswer) -> Failure {
    Failure::new(Code::Internal, "the target's courier does not answer; see the gateway's log")
        .retryable(true)
}

/// The tenant that is meant: the one that is named, or the only one of the target. It must be the target's and the caller's.
fn tenant(asked: &Asked, target: &Target, named: Option<&ID>) -> Result<TenantId, Failure> {
    let tenant = match (named, target.tenants.sole()) {
        (None, Some(sole)) => {
            asked.sees(sole)?;
            sole.clone()
        }
        _ => asked.tenant(named)?,
    };
    if target.tenants.include(&tenant) { Ok(tenant) } else { Err(not_found("tenant of this target")) }
}

/// How a target fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "State")]
pub enum OutboundState {
    /// It takes what it is sent.
    Active,
    /// It did not take the last message, which is tried again.
    Failing,
    /// Nothing is sent to it until it is enabled.
    Disabled,
}

/// Why nothing is sent to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Disabled")]
pub enum OutboundDisabledReason {
    /// It took nothing for days.
    Failing,
    /// It answered 410: it wants to hear no more.
    Gone,
    /// An operator disabled it.
    ByHand,
}

/// A target of deliveries.
pub struct OutboundTarget {
    target: Target,
    report: Report,
}

/// A target of deliveries: a CRM that gets events as signed webhooks.
#[Object]
impl OutboundTarget {
    /// The name that the configuration gives it.
    async fn name(&self) -> &str {
        &self.target.name
    }

    /// The host that it is at. The rest of its URL may be a secret and is not shown.
    async fn host(&self) -> &str {
        &self.target.host
    }

    /// The tenants whose events it gets; null where it gets everybody's.
    async fn tenant_ids(&self) -> Option<Vec<ID>> {
        match &self.target.tenants {
            Tenants::All => None,
            Tenants::Only(these) => Some(these.iter().map(|it| it.as_str().into()).collect()),
        }
    }

    /// The types of events that it gets, as the messages name them.
    async fn types(&self) -> Vec<&'static str> {
        self.target.types.iter().map(|it| it.name()).collect()
    }

    /// How it fares.
    async fn state(&self) -> OutboundState {
        self.report.state().into()
    }

    /// Why nothing is sent to it; null where something is.
    async fn disabled_reason(&self) -> Option<OutboundDisabledReason> {
        self.report.health.disabled.map(|(_, why)| why.into())
    }

    /// Since when nothing is sent to it.
    async fn disabled_at(&self) -> Option<DateTime> {
        self.report.health.disabled.map(|(at, _)| DateTime(at))
    }

    /// Since when it takes nothing; null where the last message was taken.
    async fn failing_since(&self) -> Option<DateTime> {
        self.report.health.failing_since.map(DateTime)
    }

    /// When it took a message last.
    async fn last_success_at(&self) -> Option<DateTime> {
        self.report.health.last_success.map(DateTime)
    }

    /// When it did not take a message last.
    async fn last_failure_at(&self) -> Option<DateTime> {
        self.report.health.last_failure.map(|(at, _)| DateTime(at))
    }

    /// Why it did not: `HTTP_` and the status (redirects are not followed), `TIMED_OUT`, `UNREACHABLE`, `TLS_FAILED` where
    /// its certificate is not trusted or not of its host, or `ADDRESS_REFUSED` where its host leads to a private address.
    async fn last_failure_code(&self) -> Option<String> {
        self.report.health.last_failure.map(|(_, failure)| failure.code())
    }

    /// Events that wait for it.
    async fn pending(&self) -> i32 {
        i32::try_from(self.report.pending).unwrap_or(i32::MAX)
    }

    /// How long the oldest event that waits has been with the gateway, in seconds; null where none waits.
    async fn oldest_pending_seconds(&self) -> Option<i32> {
        Some(i32::try_from(self.report.oldest_age()?.as_secs()).unwrap_or(i32::MAX))
    }

    /// Messages that were given up, each after a day of failures while the target took others. The log has their cursors.
    async fn given_up(&self) -> i32 {
        i32::try_from(self.report.health.given_up).unwrap_or(i32::MAX)
    }

    /// When events were found to be gone before they could be sent, because they waited for longer than they are kept; null
    /// where that never happened.
    async fn gap_at(&self) -> Option<DateTime> {
        self.report.health.gap_at.map(DateTime)
    }

    /// The place up to which everything of a tenant was delivered or given up.
    async fn cursor(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Aurora's id of the tenant. May be left out where the target has only one.")]
        tenant_id: Option<ID>,
    ) -> Option<async_graphql::Result<Cursor>> {
        let sealed = tenant(ctx.asked(), &self.target, tenant_id.as_ref())
            .map(|tenant| Cursor(ctx.parts().cursors.seal(&tenant, self.report.settled(&tenant))));
        Some(sealed.map_err(Into::into))
    }
}

/// Names a target.
#[derive(InputObject)]
pub struct TargetInput {
    /// The name that the configuration gives it.
    target: String,
}

/// What is to be sent once more. One of `after` and `only` is needed.
#[derive(InputObject)]
pub struct RedeliverInput {
    /// The name of the target.
    target: String,
    /// Aurora's id of the tenant. May be left out where the target has only one.
    tenant_id: Option<ID>,
    /// The cursor of an event: everything behind it is sent, as far as it is of the target's types.
    after: Option<Cursor>,
    /// The cursor of an event: only this one is sent.
    only: Option<Cursor>,
}

/// The answer to what is done to a target.
pub struct TargetPayload {
    target: Option<OutboundTarget>,
    user_errors: Vec<UserError>,
}

impl TargetPayload {
    fn refused(code: &str, message: impl Into<String>) -> Self {
        Self { target: None, user_errors: vec![UserError::new(code, message, &["after"])] }
    }
}

/// The answer to what is done to a target.
#[Object]
impl TargetPayload {
    /// The target as it is now, where it was done.
    async fn target(&self) -> Option<&OutboundTarget> {
        self.target.as_ref()
    }

    /// What a person has to mend before trying again; empty on success.
    async fn user_errors(&self) -> &[UserError] {
        &self.user_errors
    }
}
