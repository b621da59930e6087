//! One request as the client describes it: a path template, the ids that fill it, and what may be done with it.
//!
//! Invariants: an id fills exactly one segment of the path, whatever characters it has; what is shown of a call
//! is its template, never an id's neighbours, its query or its body.

use std::sync::Arc;

use secrecy::SecretString;
use url::Url;

use super::{Error, credentials::Pace, wire::Unreadable};

/// A request to Aurora, not yet tied to a key.
pub(super) struct Call<'a> {
    pub(super) verb: Verb,
    /// `/tenants/{tenant}/projects`: for the path, and for logs as it stands.
    pub(super) template: &'static str,
    /// One for each pair of braces.
    pub(super) ids: Vec<&'a str>,
    pub(super) query: Vec<(&'static str, &'a str)>,
    pub(super) body: Option<Vec<u8>>,
    /// Cut out of whatever Aurora says about this call.
    pub(super) secrets: Vec<&'a SecretString>,
    /// Arriving twice makes two: when no verdict came back, nobody may take it for not done.
    pub(super) creates: bool,
    /// Arriving twice is as good as once, and costs nobody anything.
    pub(super) repeatable: bool,
    /// Where each repeat waits for its place, as the first try did.
    pub(super) pace: Option<&'a Pace>,
}

/// What a call does, and so what may be done when it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// Reads; may be repeated.
    Get,
    /// Acts each time it arrives.
    Post,
    /// Sets; arriving twice is as good as once.
    Put,
    /// Removes.
    Delete,
}

impl Verb {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

impl<'a> Call<'a> {
    pub(super) fn get(template: &'static str, ids: &[&'a str]) -> Self {
        Self::new(Verb::Get, template, ids)
    }

    pub(super) fn new(verb: Verb, template: &'static str, ids: &[&'a str]) -> Self {
        let ids = ids.to_vec();
        let repeatable = verb == Verb::Get;
        Self {
            verb,
            template,
            ids,
            query: Vec::new(),
            body: None,
            secrets: Vec::new(),
            creates: false,
            repeatable,
            pace: None,
        }
    }

    #[must_use]
    pub(super) fn with_query(mut self, name: &'static str, value: &'a str) -> Self {
        self.query.push((name, value));
        self
    }

    #[must_use]
    pub(super) fn with_body(mut self, body: Vec<u8>) -> Self {
        self.body = Some(body);
        self
    }

    #[must_use]
    pub(super) fn creating(mut self) -> Self {
        self.creates = true;
        self
    }

    /// Says that it may be made again although it does not read, at that pace.
    #[must_use]
    pub(super) fn repeatable_at(mut self, pace: &'a Pace) -> Self {
        self.repeatable = true;
        self.pace = Some(pace);
        self
    }

    #[must_use]
    pub(super) fn hiding(mut self, secret: &'a SecretString) -> Self {
        self.secrets.push(secret);
        self
    }

    /// What was read of the answer; an answer that makes no sense is told of here, once. If the call makes
    /// something, it was made, and what it is remains open.
    pub(super) fn understood<T>(&self, read: Result<T, Unreadable>) -> Result<T, Error> {
        read.map_err(|unreadable| {
            let route = self.template;
            tracing::warn!(route, "Aurora's answer to {route} makes no sense: {unreadable}");
            if self.creates { Error::OutcomeUnknown(Arc::new(unreadable)) } else { unreadable.into() }
        })
    }

    /// The call's URL under Aurora's base.
    ///
    /// # Errors
    /// [`Error::NotFound`] when an id is empty or nothing but dots: it would change the path, and names nothing.
    pub(super) fn url(&self, base: &Url) -> Result<Url, Error> {
        let mut url = base.clone();
        let mut ids = self.ids.iter();
        {
            let mut path =
                url.path_segments_mut().map_err(|()| Error::InvalidResponse("the base URL takes no path"))?;
            path.pop_if_empty();
            for part in self.template.trim_start_matches('/').split('/') {
                if part.starts_with('{') {
                    let id = ids.next().filter(|id| is_one_segment(id)).ok_or(Error::NotFound)?;
                    path.push(id);
                } else {
                    path.push(part);
                }
            }
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Ok(url)
    }
}

/// Whether `id` stays in its place in a path. Slashes are escaped; dots cannot be.
pub(super) fn is_one_segment(id: &str) -> bool {
    !id.is_empty() && !id.bytes().all(|b| b == b'.') && !id.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path_of(id: &str) -> Result<String, Error> {
        let base = Url::parse("https://aurora.test/base/").unwrap();
        Call::get("/tenants/{tenant}/projects", &[id]).url(&base).map(|url| url.to_string())
    }

    #[test]
    fn an_id_stays_in_its_segment() {
        let cases = [
            ("t1", "t1"),
            ("%2f", "%252f"),
            ("//h", "%2F%2Fh"),
            ("@h", "@h"),
            ("a?b#c", "a%3Fb%23c"),
            ("../x", "..%2Fx"),
            ("%2e%2e", "%252e%252e"),
        ];
        for (id, segment) in cases {
            let expected = format!("https://aurora.test/base/tenants/{segment}/projects");
            assert_eq!(path_of(id).unwrap(), expected, "{id}");
        }
    }

    #[test]
    fn an_id_that_would_climb_names_nothing() {
        for id in ["", ".", "..", "...", "a\nb"] {
            assert!(matches!(path_of(id), Err(Error::NotFound)), "{id:?}");
        }
    }

    proptest! {
        #[test]
        fn no_id_changes_host_or_shape_of_the_path(id in "\\PC{1,40}") {
            if let Ok(url) = path_of(&id) {
                let url = Url::parse(&url).unwrap();
                prop_assert_eq!(url.host_str(), Some("aurora.test"));
                prop_assert_eq!(url.path_segments().unwrap().count(), 4);
                prop_assert!(url.path().starts_with("/base/tenants/") && url.path().ends_with("/projects"));
                prop_assert!(url.query().is_none() && url.fragment().is_none());
            }
        }
    }
}
