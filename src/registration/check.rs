//! Looking at what Aurora holds, without changing it.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::Mutex;

use super::{EVENTS, Target, is_ours, registration, state};
use crate::{
    aurora::{Aurora, Webhook},
    catalog,
    clock::{Clock, between},
};

/// How long one look serves. A page that is open all day must not spend the application's allowance, which the exchange of
/// keys needs too.
const FRESH: Duration = Duration::from_secs(5 * 60);

/// The same of a look that failed.
const FAILURE_HELD: Duration = Duration::from_secs(30);

/// What Aurora holds of one subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is there and as it shall be, but for its secret, which Aurora does not show.
    Registered,
    /// It is switched off: by a person, or by Aurora since it failed for long.
    Disabled,
    /// It calls with other parameters, or with another header.
    Differs,
    /// There is none.
    Missing,
}

/// One subscription, as it shall be and as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Aurora's name for the event.
    pub event: &'static str,
    /// Whether the gateway cannot do without.
    pub required: bool,
    /// How it is.
    pub state: State,
    /// Aurora's id of it, where there is one.
    pub id: Option<String>,
    /// Where Aurora calls, where there is one.
    pub url_template: Option<String>,
}

/// What one look brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// When it was.
    pub at: Timestamp,
    /// One for each event that is wanted.
    pub subscriptions: Vec<Subscription>,
}

impl Checked {
    /// Whether everything that is required is as it shall be.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.subscriptions.iter().all(|it| !it.required || it.state == State::Registered)
    }
}

type Look = Result<Arc<Checked>, catalog::Error>;

/// Looks at what Aurora holds. Clones share what they saw.
#[derive(Clone)]
pub struct Registrations(Arc<Inner>);

struct Inner {
    aurora: Aurora,
    target: Option<Target>,
    clock: Clock,
    /// Held while Aurora is asked, so that those who ask at the same time share the answer.
    last: Mutex<Option<(Timestamp, Look)>>,
}

impl Registrations {
    /// What is compared with `target`; without one, nothing is.
    #[must_use]
    pub fn new(aurora: Aurora, target: Option<Target>, clock: Clock) -> Self {
        Self(Arc::new(Inner { aurora, target, clock, last: Mutex::default() }))
    }

    /// What Aurora holds, some minutes ago at the most. Nothing where the gateway does not know how it shall be.
    ///
    /// # Errors
    /// When Aurora cannot be asked.
    pub async fn check(&self) -> Result<Option<Arc<Checked>>, catalog::Error> {
        let Some(target) = &self.0.target else { return Ok(None) };
        let mut last = self.0.last.lock().await;
        let now = self.0.clock.now();
        if let Some((at, look)) = &*last {
            let life = if look.is_ok() { FRESH } else { FAILURE_HELD };
            if between(*at, now) < life {
                return look.clone().map(Some);
            }
        }
        let known = self.0.aurora.webhooks().await;
        let look = known.map(|known| Arc::new(compare(&known, target, now))).map_err(catalog::Error::from);
        *last = Some((now, look.clone()));
        look.map(Some)
    }
}

fn compare(known: &[Webhook], target: &Target, at: Timestamp) -> Checked {
    let subscriptions = EVENTS.map(|wanted| {
        let found = known.iter().find(|it| is_ours(it, target, wanted.event));
        Subscription {
            event: wanted.event,
            required: wanted.required,
            state: found.map_or(State::Missing, |it| state(it, &registration(target, wanted))),
            id: found.map(|it| it.id.clone()),
            url_template: found.and_then(|it| it.url_template.clone()),
        }
    });
    Checked { at, subscriptions: subscriptions.into() }
}
