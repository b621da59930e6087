//! Somebody who asks for one thing again and again, and must not notice what others are up to.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// Between two of its requests.
const PAUSE: Duration = Duration::from_millis(5);

pub(crate) struct Neighbour {
    took: Arc<Mutex<Vec<Duration>>>,
    asking: JoinHandle<()>,
}

impl Neighbour {
    /// Begins to ask. What it asks for has to be there already, and has no errors.
    pub(crate) fn beside(url: String, key: &str, query: &str) -> Self {
        let took = Arc::<Mutex<Vec<Duration>>>::default();
        let (noted, key, body) = (Arc::clone(&took), key.to_owned(), json!({ "query": query }));
        let asking = tokio::spawn(async move {
            let http = reqwest::Client::builder().build().unwrap();
            loop {
                let asked = Instant::now();
                let answer = http.post(&url).bearer_auth(&key).json(&body).send().await.unwrap();
                let answer: Value = answer.json().await.unwrap();
                assert!(answer["errors"].is_null() && answer["data"].is_object(), "{answer}");
                noted.lock().unwrap().push(asked.elapsed());
                tokio::time::sleep(PAUSE).await;
            }
        });
        Self { took, asking }
    }

    /// How long all but the slowest hundredth of its requests took, of those that have been answered. It asks no more.
    pub(crate) fn p99(self) -> Duration {
        assert!(!self.asking.is_finished(), "one of the neighbour's requests failed");
        self.asking.abort();
        let mut took = self.took.lock().unwrap().clone();
        took.sort();
        assert!(took.len() >= 5, "only {} requests were answered", took.len());
        took[(took.len() * 99 / 100).min(took.len() - 1)]
    }
}
