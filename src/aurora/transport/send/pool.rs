//! The one HTTP client, with the connections that it keeps.
//!
//! Where a connection went dead without a word, those beside it may have too, and each would cost a call of its own to be
//! found out; one over HTTP/2 costs every call until a ping is missed. So whoever loses a call has the next ones sent over
//! connections of their own. Calls under way keep theirs.

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use reqwest::{Client, ClientBuilder, header::HeaderMap, redirect};
use tokio::{task::spawn_blocking, time::Instant};

use super::dns;
use crate::aurora::SetupError;

/// A host that does not even accept a connection in this time will not answer in time either.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Less than load balancers commonly keep an idle connection, so that we are the one who closes it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(45);

/// How soon a connection whose other end is gone without a word is found out: while it idles, and while something is
/// on its way.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const UNHEARD: Duration = Duration::from_secs(5);

/// An Aurora that answers nothing in time loses call after call; new connections each time would only add to that.
const RENEWED_EVERY: Duration = Duration::from_secs(5);

/// The client in use.
pub(super) struct Pool {
    recipe: Recipe,
    client: RwLock<Client>,
    renewed: Mutex<Option<Instant>>,
}

#[derive(Clone)]
struct Recipe {
    headers: HeaderMap,
    request_timeout: Duration,
}

impl Pool {
    pub(super) fn try_new(headers: HeaderMap, request_timeout: Duration) -> Result<Self, SetupError> {
        let recipe = Recipe { headers, request_timeout };
        let client =
            recipe.clone().client().map_err(|error| SetupError::Client(Arc::new(error.without_url())))?;
        Ok(Self { recipe, client: RwLock::new(client), renewed: Mutex::default() })
    }

    pub(super) fn client(&self) -> Client {
        self.client.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A call was lost: those that begin from now on share no connection with those before.
    pub(super) async fn renew(&self) {
        if !self.is_due() {
            return;
        }
        let recipe = self.recipe.clone();
        // It reads the system's certificates.
        match spawn_blocking(move || recipe.client()).await {
            Ok(Ok(client)) => *self.client.write().unwrap_or_else(PoisonError::into_inner) = client,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the connections to Aurora stay: no new client can start")
            }
            Err(died) => {
                tracing::warn!(error = %died, "the connections to Aurora stay: no new client can start")
            }
        }
    }

    fn is_due(&self) -> bool {
        let now = Instant::now();
        let mut renewed = self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        let due = renewed.is_none_or(|at| now.saturating_duration_since(at) >= RENEWED_EVERY);
        if due {
            *renewed = Some(now);
        }
        due
    }
}

impl Recipe {
    fn client(self) -> reqwest::Result<Client> {
        let builder = ClientBuilder::new();
        // Elsewhere the keep-alive has to find it out.
        #[cfg(target_os = "linux")]
        let builder = builder.tcp_user_timeout(UNHEARD);
        builder
            .user_agent(concat!("heliograph/", env!("CARGO_PKG_VERSION")))
            .default_headers(self.headers)
            .dns_resolver(dns::System)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(self.request_timeout)
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .no_proxy()
            .pool_idle_timeout(IDLE_TIMEOUT)
            .tcp_keepalive(KEEP_ALIVE)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .http2_keep_alive_timeout(UNHEARD)
            .http2_keep_alive_while_idle(true)
            .build()
    }
}
