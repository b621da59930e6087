//! The table of answers, row by row, against a journal in a file.

use jiff::Timestamp;
use proptest::prelude::*;
use secrecy::ExposeSecret;
use tempfile::TempDir;
use tokio::sync::mpsc::Receiver;

use super::*;
use crate::{
    domain::{Seq, event::Delivery},
    journal::SqliteJournal,
    sqlite::Db,
};

const SECRET: &str = "a-secret-of-more-than-24-bytes";
const DONE: &str = "performance_simulation_job_completed";
const PLACES: usize = 4;

struct World {
    directory: TempDir,
    db: Db,
    journal: Arc<SqliteJournal>,
    intake: Intake,
    grants: Receiver<SessionGrant>,
}

impl World {
    async fn start() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let directory = TempDir::new().unwrap();
        let db = Db::open(&directory.path().join("heliograph.db")).unwrap();
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let journal = Arc::new(SqliteJournal::open(db.clone(), clock.clone()).await.unwrap());
        let mut config = Config {
            header: "X-Heliograph-Webhook-Token".to_owned(),
            secret: Some(SecretString::from(SECRET)),
            previous_secret: None,
            basic: None,
            default_tenant: None,
        };
        change(&mut config);
        let (sender, grants) = mpsc::channel(PLACES);
        let intake = Intake::new(config, Arc::<SqliteJournal>::clone(&journal), clock, sender);
        Self { directory, db, journal, intake, grants }
    }

    async fn receive(&self, event: &str, query: &str) -> Answer {
        let presented = Presented { token: Some(SECRET.as_bytes()), authorization: None };
        self.intake.receive(event, query, presented).await
    }

    async fn waiting(&self) -> Vec<Delivery> {
        let waiting = self.journal.waiting(Seq(0), 100).await.unwrap();
        waiting.into_iter().map(|it| it.delivery).collect()
    }

    async fn kept(&self) -> u64 {
        self.waiting().await.len() as u64 + self.journal.aside(0).await.unwrap().total
    }
}

#[tokio::test]
async fn a_new_delivery_is_kept_and_its_repeat_is_not() {
    let world = World::start().await;
    let query = "tenant_id=acme&design_id=d1&job_id=j1&status=succeeded&session_token=s1";
    assert_eq!(world.receive(DONE, query).await, Answer::New);
    let again = query.replace("s1", "s2");
    assert_eq!(world.receive(DONE, &again).await, Answer::Repeat);

    let [delivery] = &world.waiting().await[..] else { panic!("one is kept") };
    assert_eq!(delivery.name, DONE);
    assert_eq!(delivery.tenant.as_ref().unwrap().as_str(), "acme");
    assert_eq!(delivery.design.as_ref().unwrap().as_str(), "d1");
    assert_eq!(delivery.job.as_ref().unwrap().as_str(), "j1");
    assert!(delivery.is_completion());
    assert_eq!(delivery.parameters.len(), 4);
}

#[tokio::test]
async fn the_unknown_is_kept_as_it_came_and_never_taken_for_success() {
    let world = World::start().await;
    let deliveries = [
        ("brand_new_event", "tenant_id=acme&x=1"),
        (DONE, "tenant_id=acme&design_id=d&job_id=j&status=Succeeded+maybe"),
        ("project_created", "tenant_id=acme&project_id=p&source=%3CSOURCE%3E&extra=a%2Fb"),
        ("project_changed", "TENANT_ID=acme&PROJECT_ID=p&ATTRIBUTES=name"),
        (
            "agreement_status_changed",
            "tenant_id=acme&project_id=p&agreement_id=a&status=signed&financing_id=",
        ),
        ("project_status_changed", "tenant_id=acme&project_id=p&status=50%"),
    ];
    for (event, query) in deliveries {
        assert_eq!(world.receive(event, query).await, Answer::New, "{event}?{query}");
    }
    let kept = world.waiting().await;
    assert!(kept.iter().all(|it| !it.is_completion()));
    assert_eq!(kept[1].status.as_deref(), Some("Succeeded maybe"));
    assert!(kept[2].parameters.contains(&("extra".to_owned(), "a/b".to_owned())));
    assert_eq!(kept[3].project.as_ref().unwrap().as_str(), "p");
    assert!(kept[4].parameters.contains(&("financing_id".to_owned(), String::new())));
}

#[tokio::test]
async fn without_the_secret_nothing_is_even_looked_at() {
    let world = World::start().await;
    let long = format!("{SECRET}{SECRET}");
    let presented: [Option<&[u8]>; 7] = [
        None,
        Some(b""),
        Some(b"wrong"),
        Some(&SECRET.as_bytes()[..SECRET.len() - 1]),
        Some(long.as_bytes()),
        Some(b"\xff\xfe"),
        Some(b" a-secret-of-more-than-24-bytes"),
    ];
    for token in presented {
        for query in ["tenant_id=acme&design_id=d&session_token=s", "design_id=%00", ""] {
            let presented = Presented { token, authorization: token };
            assert_eq!(world.intake.receive(DONE, query, presented).await, Answer::Unauthenticated);
        }
    }
    assert_eq!(world.kept().await, 0);
    assert!(world.grants.is_empty());
}

#[tokio::test]
async fn the_secret_from_before_is_accepted_until_it_is_taken_out() {
    const OLD: &str = "the-secret-of-more-than-24-bytes-before";
    let world = World::with(|config| config.previous_secret = Some(SecretString::from(OLD))).await;
    let present = |secret: &'static str| {
        let presented = Presented { token: Some(secret.as_bytes()), authorization: None };
        world.intake.receive("design_changed", "tenant_id=acme&design_id=d1", presented)
    };
    assert_eq!(present(OLD).await, Answer::New);
    assert_eq!(present(SECRET).await, Answer::Repeat);
    for wrong in ["", "the-secret-of-more-than-24-bytes-befor"] {
        assert_eq!(present(wrong).await, Answer::Unauthenticated);
    }
    let config = |previous_secret| Config {
        header: "X-Heliograph-Webhook-Token".to_owned(),
        secret: Some(SecretString::from(SECRET)),
        previous_secret,
        basic: None,
        default_tenant: None,
    };
    assert!(!world.intake.proofs().replace(&config(Some(SecretString::from(OLD)))), "the same as before");
    assert!(world.intake.proofs().replace(&config(Some(SecretString::from("")))));
    assert_eq!(present(SECRET).await, Answer::Repeat);
    for wrong in ["", OLD] {
        assert_eq!(present(wrong).await, Answer::Unauthenticated, "an empty one is none");
    }
}

#[tokio::test]
async fn basic_auth_is_accepted_where_it_is_configured() {
    let world = World::with(|config| {
        config.secret = None;
        config.basic = Some(("aurora".to_owned(), SecretString::from("pass:word")));
    })
    .await;
    // aurora:pass:word, aurora:wrong
    for (value, accepted) in [
        ("Basic YXVyb3JhOnBhc3M6d29yZA==", true),
        ("basic  YXVyb3JhOnBhc3M6d29yZA==", true),
        ("Basic YXVyb3JhOndyb25n", false),
        ("Bearer YXVyb3JhOnBhc3M6d29yZA==", false),
        ("Basic", false),
        ("Basic !", false),
    ] {
        let presented = Presented { token: Some(b"any"), authorization: Some(value.as_bytes()) };
        let answer = world.intake.receive("e", "tenant_id=a", presented).await;
        assert_eq!(answer != Answer::Unauthenticated, accepted, "{value}");
    }
}

#[tokio::test]
async fn without_a_configured_secret_nobody_is_authentic() {
    for secret in [None, Some(SecretString::from(""))] {
        let world = World::with(|config| config.secret = secret).await;
        for token in [None, Some(&b""[..]), Some(SECRET.as_bytes())] {
            let presented = Presented { token, authorization: Some(b"Basic Og==") };
            assert_eq!(world.intake.receive("e", "", presented).await, Answer::Unauthenticated);
        }
    }
}

#[tokio::test]
async fn a_delivery_without_a_tenant_is_set_aside_and_grants_nothing() {
    let world = World::start().await;
    for query in ["design_id=d&job_id=j1&session_token=s", "design_id=d&job_id=j2&tenant_id=&session_token=s"]
    {
        assert_eq!(world.receive(DONE, query).await, Answer::Aside);
    }
    assert_eq!(world.journal.aside(9).await.unwrap().total, 2);
    assert!(world.waiting().await.is_empty());
    assert!(world.grants.is_empty());
}

#[tokio::test]
async fn a_default_tenant_stands_in_only_where_none_is_named() {
    let world = World::with(|config| config.default_tenant = TenantId::parse("home").ok()).await;
    assert_eq!(world.receive("e", "x=1").await, Answer::New);
    assert_eq!(world.receive("e", "x=1&tenant_id=acme").await, Answer::New);
    let tenants: Vec<_> =
        world.waiting().await.into_iter().map(|it| it.tenant.unwrap().to_string()).collect();
    assert_eq!(tenants, ["home", "acme"]);
}

#[tokio::test]
async fn what_cannot_be_understood_is_refused_with_a_reason_that_shows_no_value() {
    let world = World::start().await;
    let long_value = format!("tenant_id=acme&x={}", "v".repeat(query::MAX_VALUE_BYTES + 1));
    let long_query = "x=1&".repeat(query::MAX_QUERY_BYTES);
    let many = (0..=query::MAX_PARAMETERS).map(|at| format!("p{at}=1")).collect::<Vec<_>>().join("&");
    let long_name = format!("{}=1", "n".repeat(query::MAX_NAME_BYTES + 1));
    let long_event = "e".repeat(65);
    let cases = [
        (DONE, "tenant_id=acme&status=succeeded", "design_id is missing"),
        (DONE, "tenant_id=acme&design_id=", "design_id is missing"),
        (DONE, "tenant_id=acme&design_id=+", "design_id is missing"),
        (DONE, "tenant_id=acme&design_id=%3CDESIGN_ID%3E", "design_id is a placeholder"),
        (DONE, "tenant_id=acme&design_id=<DESIGN_ID>", "design_id is a placeholder"),
        (DONE, "tenant_id=%3CTENANT_ID%3E&design_id=d", "tenant_id is a placeholder"),
        (DONE, "tenant_id=acme&design_id=d&job_id=<JOB_ID>", "job_id is a placeholder"),
        (
            "design_created",
            "tenant_id=acme&design_id=<DESIGN_ID>&job_id=<JOB_ID>",
            "design_id is a placeholder",
        ),
        (DONE, "tenant_id=acme&design_id=d&status=<STATUS>", "status is a placeholder"),
        (DONE, "design_id=d&session_token=<SESSION_TOKEN>", "session_token is a placeholder"),
        (DONE, "tenant_id=acme&design_id=d&design_id=secret", "design_id came more than once"),
        (DONE, "tenant_id=acme&design_id=secret%0a", "design_id has a control character"),
        (DONE, "tenant_id=acme&design_id=secret&x=%00", "x has a control character"),
        (DONE, "tenant_id=acme&design_id=secret%2F..", "design_id contains"),
        (DONE, "tenant_id=..&design_id=d", "tenant_id consists of dots"),
        (DONE, "tenant_id=acme&design_id=d&se-cret=%01", "a parameter has a control character"),
        ("project_created", "tenant_id=acme", "project_id is missing"),
        ("project_changed", "tenant_id=acme&project_id=", "project_id is missing"),
        ("agreement_status_changed", "tenant_id=acme&project_id=p", "agreement_id is missing"),
        ("agreement_status_changed", "tenant_id=acme&agreement_id=a%2Fb", "agreement_id contains"),
        ("e", "tenant_id=%ff", "not UTF-8"),
        ("e", "=x", "a parameter's name"),
        ("e", &long_value, "x is too long"),
        ("e", &long_query, "query string is longer"),
        ("e", &many, "more than 32 parameters"),
        ("e", &long_name, "a parameter's name"),
        ("", "", "event's name"),
        ("Project_created", "", "event's name"),
        ("a/b", "", "event's name"),
        (&long_event, "", "event's name"),
    ];
    for (event, query, wanted) in cases {
        let Answer::Invalid(reason) = world.receive(event, query).await else { panic!("{event}?{query}") };
        let reason = reason.to_string();
        assert!(reason.contains(wanted), "{event}?{query}: {reason}");
        assert!(!reason.contains("secret"), "{reason}");
    }
    assert_eq!(world.kept().await, 0);
}

#[tokio::test]
async fn a_parameter_repeated_with_one_value_is_one_parameter() {
    let world = World::start().await;
    let query = "tenant_id=acme&design_id=d&job_id=j&design_id=d&DESIGN_ID=d";
    assert_eq!(world.receive(DONE, query).await, Answer::New);
    assert_eq!(world.waiting().await[0].parameters.len(), 3);
}

#[tokio::test]
async fn a_session_token_reaches_the_exchange_and_nothing_else() {
    const TOKEN: &str = "s3ss10n-t0k3n-that-nobody-may-see";
    let mut world = World::start().await;
    for job in 0..PLACES + 2 {
        let query = format!("tenant_id=acme&design_id=d&job_id=j{job}&session_token={TOKEN}");
        assert_eq!(world.receive(DONE, &query).await, Answer::New);
    }
    assert_eq!(
        world.receive("project_created", &format!("sessionToken={TOKEN}&project_id=p")).await,
        Answer::Aside
    );
    assert_eq!(world.intake.grants_dropped().load(Ordering::Relaxed), 2);
    let grant = world.grants.recv().await.unwrap();
    assert_eq!((grant.tenant.as_str(), grant.token.expose_secret()), ("acme", TOKEN));
    assert!(!format!("{grant:?} {:?} {:?}", world.intake, world.waiting().await).contains(TOKEN));

    let holds_token = |directory: &TempDir| {
        let files = std::fs::read_dir(directory.path()).unwrap();
        let mut contents = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
        contents.any(|bytes| bytes.windows(TOKEN.len()).any(|it| it == TOKEN.as_bytes()))
    };
    assert!(!holds_token(&world.directory));
    world.db.close().await;
    assert!(!holds_token(&world.directory));
}

#[tokio::test]
async fn when_the_journal_cannot_write_aurora_is_asked_to_try_again() {
    let world = World::start().await;
    let query = "tenant_id=acme&design_id=d&job_id=j";
    world.db.close().await;
    assert_eq!(world.receive(DONE, query).await, Answer::Unavailable);
}

proptest! {
    #[test]
    fn no_query_makes_it_panic_and_no_refusal_repeats_a_value(event in "\\PC{0,12}", query in ".{0,200}") {
        let _ = parse::parse(&event, &query, Timestamp::UNIX_EPOCH);
        let marked = format!("{query}&x=%00MARK&design_id=MARK/");
        if let Err(reason) = parse::parse(DONE, &marked, Timestamp::UNIX_EPOCH) {
            prop_assert!(!reason.to_string().contains("MARK"));
        }
    }

    #[test]
    fn what_is_well_formed_is_always_understood(
        design in "[A-Za-z0-9 é:.-]{0,40}x", tenant in "[a-z0-9-]{1,36}", status in "\\PC{0,40}",
        extras in proptest::collection::btree_map("[a-z]{3,9}_[a-z]{3,9}", "\\PC{0,60}", 0..9),
    ) {
        prop_assume!(!status.starts_with('<') && !extras.keys().any(|name| name.contains("token")));
        let mut encoder = url::form_urlencoded::Serializer::new(String::new());
        encoder.extend_pairs([("tenant_id", &tenant), ("design_id", &design), ("status", &status)]);
        encoder.extend_pairs(&extras);
        let parsed = parse::parse(DONE, &encoder.finish(), Timestamp::UNIX_EPOCH).unwrap();
        prop_assert_eq!(parsed.delivery.design.as_ref().map(|it| it.as_str()), Some(design.as_str()));
        prop_assert_eq!(parsed.delivery.parameters.len(), 3 + extras.len());
        prop_assert!(parsed.session_token.is_none());
    }
}
