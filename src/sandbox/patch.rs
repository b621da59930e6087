//! The settings that can be changed while the sandbox runs, as JSON.
//!
//! [`Patch`] is what `PATCH /_sandbox/config` accepts: every member may be left out, and an
//! unknown one is refused, because a misspelt knob that silently does nothing costs an afternoon.
//! Durations are whole milliseconds and say so in their names.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use super::config::{Config, ErrorShape, ProjectShape, RetryAfterForm, SessionTokens};
use super::summary::Oddity;

/// Some settings, each only if it is to change.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Patch {
    /// See [`Config::session_tokens`].
    pub session_tokens: Option<SessionTokens>,
    /// See [`Config::accept_any_tenant`].
    pub accept_any_tenant: Option<bool>,
    /// See [`Config::requests_per_minute`].
    pub requests_per_minute: Option<u32>,
    /// See [`Config::retry_after`].
    pub retry_after: Option<RetryAfterForm>,
    /// See [`Config::key_lifetime`].
    pub key_lifetime_ms: Option<u64>,
    /// See [`Config::session_token_lifetime`].
    pub session_token_lifetime_ms: Option<u64>,
    /// See [`Config::refused_session_status`].
    pub refused_session_status: Option<u16>,
    /// See [`Config::auto_design`].
    pub auto_design: Option<bool>,
    /// See [`Config::design_delay`]; JSON `null` means never by itself.
    #[serde(deserialize_with = "given")]
    pub design_delay_ms: Option<Option<u64>>,
    /// See [`Config::ahj_delay`].
    pub ahj_delay_ms: Option<u64>,
    /// See [`Config::webhook_timeout`].
    pub webhook_timeout_ms: Option<u64>,
    /// See [`Config::retry_ladder`].
    pub retry_ladder_ms: Option<Vec<u64>>,
    /// See [`Config::retry_scale`].
    pub retry_scale: Option<f64>,
    /// See [`Config::duplicates`].
    pub duplicates: Option<u32>,
    /// See [`Config::lost_percent`].
    pub lost_percent: Option<u32>,
    /// See [`Config::reorder`].
    pub reorder: Option<bool>,
    /// See [`Config::strict_webhooks`].
    pub strict_webhooks: Option<bool>,
    /// See [`Config::require_https`].
    pub require_https: Option<bool>,
    /// See [`Config::error_shape`].
    pub error_shape: Option<ErrorShape>,
    /// See [`Config::project_shape`].
    pub project_shape: Option<ProjectShape>,
    /// See [`Config::oddities`].
    pub oddities: Option<Vec<Oddity>>,
    /// See [`Config::opaque_ids`].
    pub opaque_ids: Option<bool>,
}

/// Tells a member that is `null` from one that is not there.
fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(from).map(Some)
}

impl Patch {
    /// Puts every given setting in its place.
    pub(super) fn apply(self, config: &mut Config) {
        let ms = Duration::from_millis;
        set(&mut config.session_tokens, self.session_tokens);
        set(&mut config.accept_any_tenant, self.accept_any_tenant);
        set(&mut config.requests_per_minute, self.requests_per_minute);
        set(&mut config.retry_after, self.retry_after);
        set(&mut config.key_lifetime, self.key_lifetime_ms.map(ms));
        set(&mut config.session_token_lifetime, self.session_token_lifetime_ms.map(ms));
        set(&mut config.refused_session_status, self.refused_session_status);
        set(&mut config.auto_design, self.auto_design);
        set(&mut config.design_delay, self.design_delay_ms.map(|it| it.map(ms)));
        set(&mut config.ahj_delay, self.ahj_delay_ms.map(ms));
        set(&mut config.webhook_timeout, self.webhook_timeout_ms.map(ms));
        set(&mut config.retry_ladder, self.retry_ladder_ms.map(|it| it.into_iter().map(ms).collect()));
        set(&mut config.retry_scale, self.retry_scale);
        set(&mut config.duplicates, self.duplicates);
        set(&mut config.lost_percent, self.lost_percent);
        set(&mut config.reorder, self.reorder);
        set(&mut config.strict_webhooks, self.strict_webhooks);
        set(&mut config.require_https, self.require_https);
        set(&mut config.error_shape, self.error_shape);
        set(&mut config.project_shape, self.project_shape);
        set(&mut config.oddities, self.oddities);
        set(&mut config.opaque_ids, self.opaque_ids);
    }

    /// The settings as they stand, in the same words.
    pub(super) fn of(config: &Config) -> Self {
        let ms = |it: Duration| u64::try_from(it.as_millis()).unwrap_or(u64::MAX);
        Self {
            session_tokens: Some(config.session_tokens),
            accept_any_tenant: Some(config.accept_any_tenant),
            requests_per_minute: Some(config.requests_per_minute),
            retry_after: Some(config.retry_after),
            key_lifetime_ms: Some(ms(config.key_lifetime)),
            session_token_lifetime_ms: Some(ms(config.session_token_lifetime)),
            refused_session_status: Some(config.refused_session_status),
            auto_design: Some(config.auto_design),
            design_delay_ms: Some(config.design_delay.map(ms)),
            ahj_delay_ms: Some(ms(config.ahj_delay)),
            webhook_timeout_ms: Some(ms(config.webhook_timeout)),
            retry_ladder_ms: Some(config.retry_ladder.iter().copied().map(ms).collect()),
            retry_scale: Some(config.retry_scale),
            duplicates: Some(config.duplicates),
            lost_percent: Some(config.lost_percent),
            reorder: Some(config.reorder),
            strict_webhooks: Some(config.strict_webhooks),
            require_https: Some(config.require_https),
            error_shape: Some(config.error_shape),
            project_shape: Some(config.project_shape),
            oddities: Some(config.oddities.clone()),
            opaque_ids: Some(config.opaque_ids),
        }
    }
}

fn set<T>(slot: &mut T, given: Option<T>) {
    if let Some(value) = given {
        *slot = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_of_a_configuration_leaves_it_as_it_is() {
        let config = Config::default();
        let mut same = config.clone();
        Patch::of(&config).apply(&mut same);
        assert_eq!(Patch::of(&same), Patch::of(&config));
    }

    #[test]
    fn null_stops_designs_from_finishing_and_absence_does_not() {
        let mut config = Config::default();
        serde_json::from_str::<Patch>("{}").unwrap().apply(&mut config);
        assert_eq!(config.design_delay, Some(Duration::from_secs(5)));
        serde_json::from_str::<Patch>(r#"{"design_delay_ms":null}"#).unwrap().apply(&mut config);
        assert_eq!(config.design_delay, None);
    }

    #[test]
    fn a_misspelt_setting_is_refused() {
        assert!(serde_json::from_str::<Patch>(r#"{"request_per_minute":1}"#).is_err());
    }
}
