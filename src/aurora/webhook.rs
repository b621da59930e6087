//! The application's own webhook subscriptions: one fires for every tenant that enabled it.

use secrecy::SecretString;

use super::{Aurora, Call, Error, call::Verb, wire};

const ALL: &str = "/partner_applications/{application}/webhooks";
const ONE: &str = "/partner_applications/{application}/webhooks/{webhook}";

/// A subscription as Aurora describes it; its secret is not read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: String,
    /// The event it waits for.
    pub event: Option<String>,
    /// Where Aurora calls, with placeholders.
    pub url_template: Option<String>,
    /// What people call it.
    pub description: Option<String>,
    /// Whether it fires. Aurora turns off one that fails for long.
    pub enabled: Option<bool>,
    /// The header that carries the secret.
    pub header: Option<String>,
}

/// What a subscription shall be.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// The event it waits for.
    pub event: String,
    /// Where Aurora shall call. Must contain `<TENANT_ID>` and `<SESSION_TOKEN>`.
    pub url_template: String,
    /// What people call it.
    pub description: Option<String>,
    /// Whether it fires.
    pub enabled: bool,
    /// The header that carries the secret.
    pub header: String,
    /// The secret that proves a delivery is Aurora's.
    pub secret: SecretString,
}

impl Aurora {
    /// Every subscription of the application.
    ///
    /// # Errors
    /// When no application is configured, its key is refused, or Aurora does not answer readably.
    pub async fn webhooks(&self) -> Result<Vec<Webhook>, Error> {
        let call = Call::get(ALL, &[self.application_id()?]);
        let answer = self.partner_call(&call).await?;
        call.understood(wire::webhooks(&answer.body))
    }

    /// Subscribes.
    ///
    /// # Errors
    /// [`Error::OutcomeUnknown`] when it may have arrived and Aurora's verdict did not come back; any other
    /// error means that there is no new subscription.
    pub async fn create_webhook(&self, new: &NewWebhook) -> Result<Webhook, Error> {
        let call = Call::new(Verb::Post, ALL, &[self.application_id()?])
            .with_body(wire::new_webhook(new)?)
            .hiding(&new.secret)
            .creating();
        let answer = self.partner_call(&call).await?;
        call.understood(wire::webhook(&answer.body))
    }

    /// Makes a subscription what it shall be. Doing so twice is as good as once.
    ///
    /// # Errors
    /// When there is none of that id, Aurora refuses, or does not answer.
    pub async fn update_webhook(&self, id: &str, new: &NewWebhook) -> Result<(), Error> {
        let call = Call::new(Verb::Put, ONE, &[self.application_id()?, id])
            .with_body(wire::new_webhook(new)?)
            .hiding(&new.secret);
        self.partner_call(&call).await.map(drop)
    }

    /// Unsubscribes.
    ///
    /// # Errors
    /// When there is none of that id, Aurora refuses, or does not answer.
    pub async fn delete_webhook(&self, id: &str) -> Result<(), Error> {
        let call = Call::new(Verb::Delete, ONE, &[self.application_id()?, id]);
        self.partner_call(&call).await.map(drop)
    }
}
