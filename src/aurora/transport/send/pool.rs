//! The one HTTP client, with the connections that it keeps.
//!
//! Where a connection went dead without a word, those beside it may have too, and each would cost a call of its own to be
//! found out; one over HTTP/2 costs every call until a ping is missed. So whoever loses a call has the next ones sent over
//! connections of their own. Calls under way keep theirs.
//!
//! Clients are numbered, so that a call that is lost late puts aside only the client that carried it, never the one
//! that came since; and whoever loses one waits until the next is there.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use reqwest::{Client, ClientBuilder, header::HeaderMap, redirect};
use tokio::{sync::Mutex, task::spawn_blocking, time::Instant};

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

/// Makes clients, one after the other, and has the newest.
pub(super) struct Pool {
    recipe: Recipe,
    newest: Arc<RwLock<Numbered>>,
    /// Held while the next is made.
    renewing: Arc<Mutex<()>>,
}

/// A client, and which it is.
#[derive(Clone)]
pub(super) struct Numbered {
    pub(super) client: Client,
    pub(super) number: u64,
    /// When it took the place of another.
    since: Option<Instant>,
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
        let first = Numbered { client, number: 0, since: None };
        Ok(Self { recipe, newest: Arc::new(RwLock::new(first)), renewing: Arc::default() })
    }

    /// The client for a call that begins now.
    pub(super) fn newest(&self) -> Numbered {
        self.newest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A call over the client of that number was lost: those that begin when this returns share no connection with it.
    pub(super) async fn renew(&self, lost: u64) {
        let alone = Arc::clone(&self.renewing).lock_owned().await;
        let newest = self.newest();
        if newest.number != lost || newest.since.is_some_and(|since| since.elapsed() < RENEWED_EVERY) {
            return;
        }
        let (recipe, place) = (self.recipe.clone(), Arc::clone(&self.newest));
        // It reads the system's certificates. Put in its place over there, for whoever waits here may go.
        let made = spawn_blocking(move || {
            let _alone = alone;
            let next = Numbered { client: recipe.client()?, number: lost + 1, since: Some(Instant::now()) };
            *place.write().unwrap_or_else(PoisonError::into_inner) = next;
            reqwest::Result::Ok(())
        });
        match made.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "the connections to Aurora stay: no new client can start")
            }
            Err(died) => {
                tracing::warn!(error = %died, "the connections to Aurora stay: no new client can start")
            }
        }
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

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, future::join_all};

    use super::*;

    fn pool() -> Pool {
        Pool::try_new(HeaderMap::new(), Duration::from_secs(1)).unwrap()
    }

    #[tokio::test]
    async fn whoever_loses_a_call_with_others_waits_for_the_one_client_that_takes_their_place() {
        let pool = pool();
        let lost = || async {
            pool.renew(0).await;
            pool.newest().number
        };
        assert_eq!(join_all((0..4).map(|_| lost())).await, [1; 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_lost_late_puts_only_its_own_client_aside_and_no_client_goes_at_once() {
        let pool = pool();
        for (passes, lost, newest) in [(0, 0, 1), (0, 1, 1), (6, 0, 1), (0, 1, 2), (6, 1, 2)] {
            tokio::time::advance(Duration::from_secs(passes)).await;
            pool.renew(lost).await;
            assert_eq!(pool.newest().number, newest, "{lost} is lost");
        }
    }

    #[tokio::test]
    async fn a_client_takes_its_place_though_whoever_asked_for_it_has_gone() {
        let pool = pool();
        assert!(pool.renew(0).now_or_never().is_none());
        pool.renew(0).await;
        assert_eq!(pool.newest().number, 1);
    }
}
