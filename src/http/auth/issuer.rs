//! Where an issuer's keys are, and when they are looked at again.
//!
//! Invariants: one look at a time, and the next not before the pause is over, whatever came of it and however many
//! unknown keys are asked for; keys that were read once count until others have been read, so an issuer that is down
//! keeps nobody out. Not here: what the keys are.

use std::{
    path::PathBuf,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::{io::AsyncReadExt as _, sync::Mutex, time};
use url::Url;

use super::{
    Digest,
    jwks::{Keys, LARGEST, NoKeys},
};
use crate::clock::{Clock, between};

/// One look at a URL. A caller with a new key waits for it.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Between two looks at a URL: an issuer must not feel how many bad tokens come here.
const URL_PAUSE: Duration = Duration::from_mins(1);

/// Between two looks at a file, which cost next to nothing.
const FILE_PAUSE: Duration = Duration::from_secs(1);

/// A key that leaves a URL ends here as late as this. Issuers announce a new one much earlier.
const URL_REFRESH: Duration = Duration::from_mins(15);

/// The same for a file, and for a URL that could not be read.
const SOON: Duration = Duration::from_mins(1);

/// Where the keys are.
#[derive(Debug, Clone)]
pub enum Place {
    /// Asked with one GET.
    Url(Url),
    /// Read again whenever it has changed.
    File(PathBuf),
}

/// The issuer's keys as they were last seen.
#[derive(Debug)]
pub(super) struct Issuer {
    source: Source,
    clock: Clock,
    keys: RwLock<Arc<Keys>>,
    /// Goes up whenever the keys change.
    generation: AtomicU64,
    last: Mutex<Last>,
}

#[derive(Debug)]
enum Source {
    Url(reqwest::Client, Url),
    File(PathBuf),
}

#[derive(Debug, Default)]
struct Last {
    looked: Option<Timestamp>,
    /// Whether it found a key set.
    found: bool,
    /// Of the document that the keys are from.
    digest: Option<Digest>,
    /// Of the file that was read last.
    stamp: Option<Stamp>,
}

/// What a file is told apart by without reading it.
type Stamp = (Option<SystemTime>, u64);

/// Why the keys could not be read.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the issuer does not answer")]
    Silent(#[source] reqwest::Error),
    #[error("the issuer answered {0}")]
    Status(u16),
    #[error("the file cannot be read")]
    File(#[from] std::io::Error),
    #[error("the key set cannot be used")]
    Document(#[from] NoKeys),
}

impl Issuer {
    pub(super) fn try_new(place: Place, clock: Clock) -> Result<Self, reqwest::Error> {
        let source = match place {
            Place::Url(url) => Source::Url(client()?, url),
            Place::File(path) => Source::File(path),
        };
        let (keys, generation, last) = Default::default();
        Ok(Self { source, clock, keys, generation, last })
    }

    /// The keys, and which generation they are.
    pub(super) fn keys(&self) -> (Arc<Keys>, u64) {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        (Arc::clone(&keys), self.generation())
    }

    /// Which generation of keys counts.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Looks again, unless somebody did just now. In a task of its own: the look was paid for, whoever hangs up.
    pub(super) async fn look_again(self: &Arc<Self>) {
        let this = Arc::clone(self);
        // A look that panicked has found nothing.
        let _panicked = tokio::spawn(async move { this.look().await }).await;
    }

    /// Looks again and again, for ever.
    pub(super) async fn keep(self: &Arc<Self>) {
        loop {
            let patience = match (self.look().await, &self.source) {
                (true, Source::Url(..)) => URL_REFRESH,
                _ => SOON,
            };
            time::sleep(patience).await;
        }
    }

    /// False when the keys could not be read.
    async fn look(&self) -> bool {
        let mut last = self.last.lock().await;
        let now = self.clock.now();
        let pause = match self.source {
            Source::Url(..) => URL_PAUSE,
            Source::File(_) => FILE_PAUSE,
        };
        // A clock that was set back must not keep us waiting.
        if last.looked.is_some_and(|it| it <= now && between(it, now) < pause) {
            return last.found;
        }
        last.looked = Some(now);
        let found = match self.read(&mut last).await {
            Ok(Some(json)) => self.take(&json, &mut last),
            Ok(None) => last.found,
            Err(error) => complain(&error),
        };
        last.found = found;
        found
    }

    /// The document, unless it is certainly the one that is known.
    async fn read(&self, last: &mut Last) -> Result<Option<Vec<u8>>, Error> {
        match &self.source {
            Source::Url(client, url) => fetch(client, url).await.map(Some),
            Source::File(path) => {
                let file = tokio::fs::File::open(path).await?;
                let about = file.metadata().await?;
                let stamp = (about.modified().ok(), about.len());
                if last.stamp == Some(stamp) {
                    return Ok(None);
                }
                let mut json = Vec::new();
                // One byte beyond shows that it is too long.
                file.take(LARGEST as u64 + 1).read_to_end(&mut json).await?;
                last.stamp = Some(stamp);
                Ok(Some(json))
            }
        }
    }

    fn take(&self, json: &[u8], last: &mut Last) -> bool {
        let digest = Some(Sha256::digest(json).into());
        if last.digest == digest {
            return true;
        }
        let read = match Keys::parse(json) {
            Ok(read) => read,
            Err(error) => return complain(&error.into()),
        };
        last.digest = digest;
        let count = read.len();
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        *keys = Arc::new(read);
        self.generation.fetch_add(1, Ordering::Release);
        drop(keys);
        match count {
            0 => tracing::warn!("The issuer's key set holds no key that can be used: no token is accepted"),
            _ => tracing::info!(keys = count, "Read the issuer's keys"),
        }
        true
    }
}

fn complain(error: &Error) -> bool {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(%error, cause, "The issuer's keys could not be read; those that are known still count");
    false
}

fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .user_agent(concat!("heliograph/", env!("CARGO_PKG_VERSION")))
        .timeout(FETCH_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .no_proxy()
        .build()
}

async fn fetch(client: &reqwest::Client, url: &Url) -> Result<Vec<u8>, Error> {
    let silent = |error: reqwest::Error| Error::Silent(error.without_url());
    let mut response = client.get(url.clone()).send().await.map_err(silent)?;
    if response.status() != reqwest::StatusCode::OK {
        return Err(Error::Status(response.status().as_u16()));
    }
    let mut json = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(silent)? {
        if json.len() + piece.len() > LARGEST {
            return Err(NoKeys::TooLong.into());
        }
        json.extend_from_slice(&piece);
    }
    Ok(json)
}
