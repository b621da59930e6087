//! No secret shows: not in Debug, not in errors, not in logs at any level.

use std::{
    error::Error as _,
    io::{self, Write},
    sync::{Arc, Mutex},
};

use tracing_subscriber::fmt::MakeWriter;

use super::{
    double::{answer, token},
    *,
};

const SECRETS: [&str; 4] = ["app-key", "sk-own", "tk-hidden", "st-hidden"];

fn assert_hidden(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} shows in {text}");
    }
}

fn chain(error: &Error) -> String {
    let mut text = format!("{error:?} {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(" {cause:?} {cause}");
        source = cause.source();
    }
    text
}

#[derive(Clone, Default)]
pub(super) struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// What was logged so far.
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Captured {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Everything that could go wrong with secrets in play, as the text of the errors.
async fn everything_goes_wrong() -> String {
    let double = Double::start(|seen| {
        let echo = format!(r#"{{"errors":[{{"message":"{} {}"}}]}}"#, seen.bearer, seen.query);
        match seen {
            it if it.query.contains("st-hidden-2") => answer(422, echo),
            it if it.is_exchange() => token("tk-hidden", "2024-06-22 01:00:00 UTC"),
            it if it.path.contains("webhooks") => answer(400, echo),
            it if it.method == "POST" => answer(422, echo),
            _ => answer(401, echo),
        }
    })
    .await;
    let aurora = client(config(&double));
    let mut text = format!("{aurora:?} {:?} {:?}", config(&double), own_key(&double));
    aurora.connect(&tenant(), "st-hidden".into()).await.unwrap();
    text += &chain(&create(&aurora).await.unwrap_err());
    text += &chain(&ask(&aurora).await.unwrap_err());
    text += &chain(&aurora.connect(&tenant(), "st-hidden-2".into()).await.unwrap_err());
    text += &chain(&aurora.webhooks().await.unwrap_err());
    text += &chain(&ask(&client(own_key(&double))).await.unwrap_err());

    let nobody = Url::parse("http://127.0.0.1:1").unwrap();
    let aurora = client(Config { base_url: nobody, ..config(&double) });
    text += &chain(&aurora.connect(&tenant(), "st-hidden-3".into()).await.unwrap_err());
    assert!(double.seen().len() >= 7, "the secrets were in play");
    text
}

#[tokio::test]
async fn nothing_secret_is_said_or_logged() {
    let captured = Captured::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(captured.clone())
        .finish();
    // With one subscriber alone, tracing lets the thread that meets a log line first decide for all whether anybody
    // listens to it; other tests' threads do not listen. A second subscriber makes it ask both.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let listening = tracing::subscriber::set_default(subscriber);
    let said = everything_goes_wrong().await;
    drop(listening);

    let logged = captured.text();
    assert!(logged.contains("/partner_applications/{application}/tenants/{tenant}/create_token"));
    assert_hidden(&said);
    assert_hidden(&logged);
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_before_anything_is() {
    let double = Double::start(|_| answer(500, "")).await;
    let refused = |config: Config| Aurora::try_new(config, clock()).unwrap_err().to_string();
    let application = |id: &str, key: &str| Some(Application { id: id.into(), key: key.into() });
    let base = |url: &str| Config { base_url: Url::parse(url).unwrap(), ..config(&double) };
    for config in [
        base("ftp://aurora.test"),
        base("data:text/plain,x"),
        base("https://user:hunter2@aurora.test"),
        base("https://aurora.test/?x=1"),
        Config { application: application("..", "k"), ..config(&double) },
        Config { application: application("a", "k\n"), ..config(&double) },
        Config { tenant_keys: HashMap::from([(tenant(), "".into())]), ..config(&double) },
        Config { api_version: Some("\n".into()), ..config(&double) },
    ] {
        assert!(!refused(config).contains("hunter2"));
    }
}
