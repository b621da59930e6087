//! Tenants, and their relation to the partner application.

use super::super::answer::Refusal;
use super::super::clock::Moment;
use super::super::config::{SessionTokens, Tenant, Units};
use super::{Account, World};
use axum::http::StatusCode;

/// Tenants that came by themselves, and the announced ones.
const TENANTS_KEPT: usize = 1_000;

impl World {
    pub(in crate::sandbox) fn account(&self, tenant: &str) -> Result<&Account, Refusal> {
        self.tenants.get(tenant).ok_or_else(Refusal::not_found)
    }

    pub(in crate::sandbox) fn account_mut(&mut self, tenant: &str) -> Result<&mut Account, Refusal> {
        self.tenants.get_mut(tenant).ok_or_else(Refusal::not_found)
    }

    pub(in crate::sandbox) fn tenants(&self) -> impl Iterator<Item = (&String, &Account)> {
        self.tenants.iter()
    }

    /// Lets a tenant come into being that nobody announced, if this sandbox accepts any.
    pub(in crate::sandbox) fn welcome(&mut self, tenant: &str) {
        // Not beyond a limit: a typo in a loop must not fill the memory.
        let room = self.tenants.len() < TENANTS_KEPT;
        if self.config.accept_any_tenant && room && !self.tenants.contains_key(tenant) {
            self.add_tenant(&Tenant::new(tenant, Units::Metric));
        }
    }

    /// Exchanges the application key, with a session token if there is one, for a temporary key.
    pub(in crate::sandbox) fn create_token(
        &mut self,
        tenant: &str,
        session: Option<&str>,
        now: Moment,
    ) -> Result<(String, Moment), Refusal> {
        self.welcome(tenant);
        if !self.account(tenant)?.app_enabled {
            return Err(Refusal::new(StatusCode::FORBIDDEN, "The tenant has not enabled this application"));
        }
        let good = match session {
            Some(token) => self.keys.spend_session(tenant, token, now),
            None => self.config.session_tokens == SessionTokens::Optional,
        };
        if !good {
            let status = StatusCode::from_u16(self.config.refused_session_status)
                .unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
            return Err(Refusal::new(status, "Session token is missing, invalid or expired"));
        }
        Ok(self.keys.issue_key(tenant, now, self.config.key_lifetime))
    }

    /// The tenant switches the partner application on or off in its settings. Off, its keys stop
    /// working and the application hears nothing more of it.
    pub(in crate::sandbox) fn set_app(
        &mut self,
        tenant: &str,
        enabled: bool,
        now: Moment,
    ) -> Result<(), Refusal> {
        let status = if enabled { "enabled" } else { "disabled" };
        let app = self.config.application_id.clone();
        // Announced while it is enabled, or nobody would hear of the end.
        self.account_mut(tenant)?.app_enabled = true;
        self.announce(tenant, "app_status_changed", &[("APP_ID", app), ("STATUS", status.to_owned())], now);
        self.account_mut(tenant)?.app_enabled = enabled;
        if !enabled {
            self.keys.revoke(tenant);
        }
        Ok(())
    }
}
