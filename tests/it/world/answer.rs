//! What the gateway answered.

use std::ops::Index;

use serde_json::Value;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) async fn of(response: reqwest::Response) -> Self {
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or_else(|_| panic!("status {status}, no JSON: {text}"));
        Self { status, body }
    }

    /// The errors as `CODE at path`, or just `CODE` where nothing ran.
    pub(crate) fn errors(&self) -> Vec<String> {
        let errors = self.body["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(shown).collect()
    }

    /// The answer, which must have no errors.
    #[track_caller]
    pub(crate) fn sound(self) -> Self {
        assert!(self.errors().is_empty(), "{:#}", self.body);
        self
    }

    /// Calls to Aurora that it cost.
    pub(crate) fn calls(&self) -> u64 {
        self.body["extensions"]["upstream"]["calls"].as_u64().unwrap()
    }

    /// Reads that memory answered.
    pub(crate) fn cache_hits(&self) -> u64 {
        self.body["extensions"]["upstream"]["cacheHits"].as_u64().unwrap()
    }

    /// Reads that another caller's call answered.
    pub(crate) fn coalesced(&self) -> u64 {
        self.body["extensions"]["upstream"]["coalesced"].as_u64().unwrap()
    }
}

impl Index<&str> for Answer {
    type Output = Value;

    fn index(&self, field: &str) -> &Value {
        &self.body["data"][field]
    }
}

/// An error as `CODE at path`.
pub(crate) fn shown(error: &Value) -> String {
    let code = error["extensions"]["code"].as_str().unwrap_or("(no code)");
    assert!(error["extensions"]["retryable"].is_boolean(), "every error says whether to retry: {error}");
    match error["path"].as_array() {
        Some(path) => {
            let steps: Vec<_> = path.iter().map(|it| it.to_string().trim_matches('"').to_owned()).collect();
            format!("{code} at {}", steps.join("."))
        }
        None => code.to_owned(),
    }
}
