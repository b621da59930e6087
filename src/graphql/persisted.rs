//! Documents that are asked for without their text: by an id from a manifest of trusted ones, or by the SHA-256 of a
//! text that was sent before (automatic persisted queries, as Apollo's clients speak them).
//!
//! Invariants: a hash stands for the text whose hash it is and for no other; what clients send is kept only after the
//! schema accepted it, in a bounded number of bytes; where only trusted documents run, nothing else is even parsed.

use std::{
    collections::{BTreeMap, HashMap, btree_map::Entry},
    fmt::{self, Write as _},
    sync::Arc,
};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use sha2::{Digest, Sha256};

use super::error::{Code, Failure};

/// Bytes of text that are kept of what clients sent: some thousand documents of usual size.
const MOST_BYTES: u64 = 8 * 1024 * 1024;

/// Letters of a SHA-256 in hexadecimals.
const HASH: usize = 64;

/// The documents that are known by a name.
#[derive(Debug)]
pub struct Persisted {
    /// The documents of the manifest, by id.
    by_id: BTreeMap<String, Arc<str>>,
    /// The same, by hash.
    by_hash: HashMap<String, Arc<str>>,
    only_trusted: bool,
    /// By hash.
    learnt: moka::sync::Cache<String, Arc<str>>,
}

impl Default for Persisted {
    fn default() -> Self {
        let learnt = moka::sync::Cache::<String, Arc<str>>::builder()
            .weigher(|hash, text| u32::try_from(hash.len() + text.len()).unwrap_or(u32::MAX))
            .max_capacity(MOST_BYTES)
            .build();
        Self { by_id: BTreeMap::new(), by_hash: HashMap::new(), only_trusted: false, learnt }
    }
}

/// The text that a request means.
pub(super) enum Text {
    /// It was sent, and is not to be kept.
    Sent(String),
    /// It was sent with its hash, so that it need not be sent again.
    ToKeep { hash: String, text: String },
    /// It was known.
    Known(Arc<str>),
}

impl Text {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Sent(text) | Self::ToKeep { text, .. } => text,
            Self::Known(text) => text,
        }
    }
}

impl Persisted {
    /// Knows the documents of a manifest: `{"<id>": "<text>", …}`, or the form that Apollo's tools write.
    ///
    /// # Errors
    /// When it is of neither form, or gives one id to two texts.
    pub fn from_manifest(json: &str, only_trusted: bool) -> Result<Self, String> {
        let manifest: Manifest = serde_json::from_str(json).map_err(|error| {
            format!("is no manifest of documents: line {}, column {}", error.line(), error.column())
        })?;
        let documents = match manifest {
            Manifest::Apollo { format, operations } if format == "apollo-persisted-query-manifest" => {
                operations.into_iter().map(|it| (it.id, it.body)).collect()
            }
            Manifest::Apollo { format, .. } => {
                return Err(format!("has the format {format:?}, which is not known"));
            }
            Manifest::Plain(Pairs(documents)) => documents,
        };
        if documents.is_empty() {
            return Err("has no documents".to_owned());
        }
        let mut known = Self { only_trusted, ..Self::default() };
        for (id, text) in documents {
            let text: Arc<str> = text.into();
            let hash = hash(&text);
            // Clients may take it for a hash, and would be answered for another text.
            if is_hash(bare(&id)) && !bare(&id).eq_ignore_ascii_case(&hash) {
                return Err(format!(
                    "has the id {id:?}, which looks like a hash and is not that of its text"
                ));
            }
            known.by_hash.insert(hash, Arc::clone(&text));
            match known.by_id.entry(id) {
                Entry::Occupied(other) if *other.get() != text => {
                    return Err(format!("gives the id {:?} to two documents", other.key()));
                }
                entry => {
                    entry.or_insert(text);
                }
            }
        }
        Ok(known)
    }

    /// The documents of the manifest, by id.
    pub(super) fn trusted(&self) -> impl Iterator<Item = (&str, &str)> {
        self.by_id.iter().map(|(id, text)| (id.as_str(), &**text))
    }

    /// The text that a request means: by its id, or as it was sent.
    ///
    /// # Errors
    /// When it is not known, not trusted, or not the text whose hash was sent with it.
    pub(super) fn text(&self, sent: Option<String>, id: Option<String>) -> Result<Text, Failure> {
        if let Some(known) = id.as_ref().and_then(|id| self.trusted_by(id)) {
            if sent.is_some_and(|sent| *sent != **known) {
                let message = "the query is not the document whose id or hash came with it";
                return Err(Failure::new(Code::BadUserInput, message));
            }
            return Ok(Text::Known(Arc::clone(known)));
        }
        if self.only_trusted {
            // A name that means nothing here is not passed over: whoever sent it expected that document.
            let unnamed = sent.filter(|_| id.is_none());
            let known = unnamed.and_then(|text| self.by_hash.get(&hash(&text)));
            return known.map(|it| Text::Known(Arc::clone(it))).ok_or_else(untrusted);
        }
        match (sent, id) {
            (Some(text), None) => Ok(Text::Sent(text)),
            (Some(text), Some(given)) => {
                let hash = hash(&text);
                // Whoever could put a text under a hash that is not its own would answer for others.
                if !hash.eq_ignore_ascii_case(bare(&given)) {
                    let message = "the hash is not the SHA-256 of the query that came with it";
                    return Err(Failure::new(Code::BadUserInput, message));
                }
                Ok(if self.learnt.contains_key(&hash) {
                    Text::Sent(text)
                } else {
                    Text::ToKeep { hash, text }
                })
            }
            (None, Some(id)) => {
                let hash = Some(bare(&id)).filter(|it| is_hash(it)).map(str::to_ascii_lowercase);
                let known = hash.and_then(|hash| self.learnt.get(&hash));
                // Clients look for these words.
                known
                    .map(Text::Known)
                    .ok_or_else(|| Failure::new(Code::PersistedQueryNotFound, "PersistedQueryNotFound"))
            }
            (None, None) => Err(Failure::new(Code::BadUserInput, "\"query\" is missing")),
        }
    }

    fn trusted_by(&self, id: &str) -> Option<&Arc<str>> {
        self.by_id.get(id).or_else(|| self.by_hash.get(&bare(id).to_ascii_lowercase()))
    }

    /// Keeps a text that the schema has accepted.
    pub(super) fn keep(&self, text: Text) {
        if let Text::ToKeep { hash, text } = text {
            self.learnt.insert(hash, text.into());
        }
    }
}

/// A hash without the word before it that tells its kind.
fn bare(id: &str) -> &str {
    id.strip_prefix("sha256:").unwrap_or(id)
}

fn is_hash(id: &str) -> bool {
    id.len() == HASH && id.bytes().all(|it| it.is_ascii_hexdigit())
}

fn untrusted() -> Failure {
    let message = "only trusted documents run here, and this is none: it must stand in the manifest that the gateway \
                   was given";
    Failure::new(Code::Forbidden, message)
}

fn hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().fold(String::with_capacity(HASH), |mut hex, byte| {
        // Writing to a string does not fail.
        let _written = write!(hex, "{byte:02x}");
        hex
    })
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Manifest {
    Apollo { format: String, operations: Vec<Trusted> },
    Plain(Pairs),
}

/// The members of an object, also those that come twice.
struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}

#[derive(Deserialize)]
struct Trusted {
    id: String,
    body: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(persisted: &Persisted, sent: Option<&str>, id: Option<&str>) -> Result<String, Code> {
        let text = persisted.text(sent.map(str::to_owned), id.map(str::to_owned));
        text.map(|it| it.as_str().to_owned()).map_err(|it| it.code)
    }

    #[test]
    fn a_hash_is_known_after_its_text_was_kept_and_not_before() {
        let (persisted, hash) = (Persisted::default(), hash("{a}"));
        assert_eq!(found(&persisted, None, Some(&hash)), Err(Code::PersistedQueryNotFound));
        let text = persisted.text(Some("{a}".to_owned()), Some(hash.to_uppercase())).unwrap();
        assert_eq!(found(&persisted, None, Some(&hash)), Err(Code::PersistedQueryNotFound));
        persisted.keep(text);
        assert_eq!(found(&persisted, None, Some(&hash)), Ok("{a}".to_owned()));
        assert_eq!(found(&persisted, None, Some(&format!("sha256:{hash}"))), Ok("{a}".to_owned()));
    }

    #[test]
    fn nobody_puts_a_text_under_another_ones_hash() {
        let persisted = Persisted::default();
        assert_eq!(found(&persisted, Some("{b}"), Some(&hash("{a}"))), Err(Code::BadUserInput));
        assert_eq!(found(&persisted, Some("{b}"), Some("short")), Err(Code::BadUserInput));
    }

    #[test]
    fn what_clients_sent_is_kept_within_its_bytes() {
        let persisted = Persisted::default();
        for number in 0..1_000 {
            let text = format!("{{ a{number} }} #{}", "x".repeat(16_000));
            let hash = hash(&text);
            persisted.keep(persisted.text(Some(text), Some(hash)).unwrap());
        }
        persisted.learnt.run_pending_tasks();
        assert!(persisted.learnt.weighted_size() <= MOST_BYTES);
        assert!(persisted.learnt.entry_count() > 0);
    }

    #[test]
    fn a_manifest_may_be_plain_or_apollos() {
        let apollo = r#"{"format":"apollo-persisted-query-manifest","version":1,"operations":[
            {"id":"one","name":"A","type":"query","body":"{a}"}]}"#;
        for json in [r#"{"one":"{a}"}"#, apollo] {
            let persisted = Persisted::from_manifest(json, true).unwrap();
            assert_eq!(found(&persisted, None, Some("one")), Ok("{a}".to_owned()));
            assert_eq!(found(&persisted, None, Some(&hash("{a}"))), Ok("{a}".to_owned()));
            assert_eq!(found(&persisted, Some("{a}"), None), Ok("{a}".to_owned()));
            assert_eq!(found(&persisted, Some("{b}"), None), Err(Code::Forbidden));
            assert_eq!(found(&persisted, None, Some("two")), Err(Code::Forbidden));
            assert_eq!(found(&persisted, Some("{a}"), Some("two")), Err(Code::Forbidden));
        }
        let open = Persisted::from_manifest(apollo, false).unwrap();
        assert_eq!(found(&open, Some("{b}"), Some("one")), Err(Code::BadUserInput));
        assert_eq!(found(&open, Some("{b}"), Some(&hash("{a}"))), Err(Code::BadUserInput));
        assert_eq!(found(&open, Some("{a}"), Some("one")), Ok("{a}".to_owned()));
        assert_eq!(found(&open, None, Some(&hash("{a}").to_uppercase())), Ok("{a}".to_owned()));
        assert_eq!(found(&open, Some("{b}"), None), Ok("{b}".to_owned()));
        let odd = Persisted::from_manifest(r#"{"sha256:mine":"{a}","A":"{b}","a":"{a}"}"#, true).unwrap();
        for (id, text) in [("sha256:mine", "{a}"), ("A", "{b}"), ("a", "{a}")] {
            assert_eq!(found(&odd, None, Some(id)), Ok(text.to_owned()), "{id}");
        }
        let foreign = format!(r#"{{"{}":"{{b}}"}}"#, hash("{a}"));
        let foreign_by_kind = format!(r#"{{"sha256:{}":"{{b}}"}}"#, hash("{a}"));
        for wrong in [
            "",
            "[]",
            "{}",
            r#"{"a":1}"#,
            r#"{"format":"other","operations":[]}"#,
            r#"{"a":"{a}","a":"{b}"}"#,
            &foreign,
            &foreign_by_kind,
        ] {
            assert!(Persisted::from_manifest(wrong, true).is_err(), "{wrong}");
        }
    }
}
