//! What the store promises, over restarts.

use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;

use super::*;
use crate::{clock::later, domain::fingerprint::Fingerprinter};

fn open(directory: &TempDir) -> Store {
    Store::new(Db::open(&directory.path().join("heliograph.db")).unwrap())
}

fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

fn project(name: &str) -> ProjectId {
    ProjectId::parse(name).unwrap()
}

fn input(text: &str) -> Fingerprint {
    Fingerprinter::new("input").text(text).finish()
}

fn key(text: &str) -> CreateKey {
    CreateKey::Idempotency(text.to_owned())
}

const START: Timestamp = Timestamp::UNIX_EPOCH;

#[tokio::test]
async fn the_cursor_key_is_made_once_and_kept() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let made = store.cursor_key().await.unwrap();
    assert_eq!(store.cursor_key().await.unwrap(), made);
    drop(store);
    assert_eq!(open(&directory).cursor_key().await.unwrap(), made);
    let elsewhere = TempDir::new().unwrap();
    assert_ne!(open(&elsewhere).cursor_key().await.unwrap(), made);
}

#[tokio::test]
async fn a_finished_creation_gives_the_same_project_for_ever() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let acme = tenant("acme");
    assert_eq!(store.begin_create(&acme, &key("k"), input("a"), START).await.unwrap(), Begin::Go);
    store.finish_create(&acme, &key("k"), &project("p")).await.unwrap();
    store.abandon_create(&acme, &key("k")).await.unwrap();
    store.finish_create(&acme, &key("k"), &project("other")).await.unwrap();
    drop(store);

    let (store, much_later) = (open(&directory), later(START, Duration::from_secs(1 << 32)));
    let again = store.begin_create(&acme, &key("k"), input("a"), much_later).await.unwrap();
    assert_eq!(again, Begin::Replay(project("p")));
    let other_input = store.begin_create(&acme, &key("k"), input("b"), much_later).await.unwrap();
    assert_eq!(other_input, Begin::Conflict);
}

#[tokio::test]
async fn of_many_who_begin_at_once_one_goes() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let begins = (0..50).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.begin_create(&tenant("acme"), &key("k"), input("a"), START).await })
    });
    let mut went = 0;
    for begin in begins.collect::<Vec<_>>() {
        match begin.await.unwrap().unwrap() {
            Begin::Go => went += 1,
            begin => assert_eq!(begin, Begin::Unsettled { since: START }),
        }
    }
    assert_eq!(went, 1);
}

#[tokio::test]
async fn a_creation_that_a_crash_interrupted_is_unsettled_until_it_is_settled() {
    let directory = TempDir::new().unwrap();
    let acme = tenant("acme");
    assert_eq!(open(&directory).begin_create(&acme, &key("k"), input("a"), START).await.unwrap(), Begin::Go);

    let (store, now) = (open(&directory), later(START, Duration::from_secs(60)));
    let begin = store.begin_create(&acme, &key("k"), input("a"), now).await.unwrap();
    assert_eq!(begin, Begin::Unsettled { since: START });
    store.unsettle_create(&acme, &key("k")).await.unwrap();
    let begin = store.begin_create(&acme, &key("k"), input("a"), now).await.unwrap();
    assert_eq!(begin, Begin::Unsettled { since: START });
    store.finish_create(&acme, &key("k"), &project("p")).await.unwrap();
    let begin = store.begin_create(&acme, &key("k"), input("a"), now).await.unwrap();
    assert_eq!(begin, Begin::Replay(project("p")));
}

#[tokio::test]
async fn an_abandoned_key_may_be_used_again_with_other_input() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let acme = tenant("acme");
    store.begin_create(&acme, &key("k"), input("a"), START).await.unwrap();
    store.abandon_create(&acme, &key("k")).await.unwrap();
    assert_eq!(store.begin_create(&acme, &key("k"), input("b"), START).await.unwrap(), Begin::Go);
}

#[tokio::test]
async fn keys_of_other_tenants_and_of_the_other_kind_are_other_keys() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let external = CreateKey::ExternalId("k".to_owned());
    for (tenant, key) in [(tenant("a"), key("k")), (tenant("b"), key("k")), (tenant("a"), external)] {
        assert_eq!(store.begin_create(&tenant, &key, input("x"), START).await.unwrap(), Begin::Go);
    }
}

#[tokio::test]
async fn what_was_created_here_wins_over_what_was_seen() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let acme = tenant("acme");
    let steps = [
        (Origin::Seen, "seen", "seen"),
        (Origin::Seen, "seen later", "seen"),
        (Origin::Created, "created", "created"),
        (Origin::Created, "created later", "created"),
        (Origin::Seen, "seen again", "created"),
    ];
    for (origin, remembered, found) in steps {
        let pair = vec![("x".to_owned(), project(remembered))];
        store.remember_external_ids(&acme, pair, origin).await.unwrap();
        let known = store.project_by_external_id(&acme, "x").await.unwrap();
        assert_eq!(known, Some(project(found)), "{remembered}");
    }
    assert_eq!(store.project_by_external_id(&tenant("other"), "x").await.unwrap(), None);
}

#[tokio::test]
async fn the_project_of_a_design_is_kept_and_costs_one_write() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let acme = tenant("acme");
    let key = |of: &str| DesignKey { tenant: tenant(of), design: DesignId::parse("d").unwrap() };
    let seen = || vec![(key("acme").design, project("p"))];
    store.remember_designs(&acme, seen()).await.unwrap();
    let commits = store.db.commits();
    store.remember_designs(&acme, seen()).await.unwrap();
    assert_eq!(store.db.commits(), commits);
    drop(store);
    let store = open(&directory);
    assert_eq!(store.project_of_design(&key("acme")).await.unwrap(), Some(project("p")));
    assert_eq!(store.project_of_design(&key("other")).await.unwrap(), None);
    store.wipe_tenant(&acme).await.unwrap();
    assert_eq!(store.project_of_design(&key("acme")).await.unwrap(), None);
}

#[tokio::test]
async fn a_sealed_key_is_kept_for_its_realm_until_it_ends() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let (here, elsewhere) = (input("here"), input("elsewhere"));
    let sealed = |name: &str, text: &str, seconds| SealedKey {
        tenant: tenant(name),
        sealed: text.as_bytes().to_vec(),
        expires_at: later(START, Duration::from_secs(seconds)),
    };
    store.keep_sealed_key(here, sealed("acme", "first", 50)).await.unwrap();
    store.keep_sealed_key(here, sealed("acme", "second", 60)).await.unwrap();
    store.keep_sealed_key(elsewhere, sealed("acme", "third", 60)).await.unwrap();
    store.keep_sealed_key(here, sealed("other", "fourth", 70)).await.unwrap();
    drop(store);

    let store = open(&directory);
    let both = [sealed("other", "fourth", 70), sealed("acme", "second", 60)];
    assert_eq!(store.sealed_keys(here, START, 10).await.unwrap(), both);
    assert_eq!(store.sealed_keys(here, START, 1).await.unwrap(), both[..1]);
    let now = later(START, Duration::from_secs(60));
    assert_eq!(store.sealed_keys(here, now, 10).await.unwrap(), both[..1]);
    assert_eq!(store.prune_sealed_keys(now).await.unwrap(), 2);
    assert_eq!(store.sealed_keys(here, START, 10).await.unwrap(), both[..1]);
    store.forget_sealed_key(elsewhere, &tenant("other")).await.unwrap();
    assert_eq!(store.sealed_keys(here, START, 10).await.unwrap(), both[..1]);
    store.forget_sealed_key(here, &tenant("other")).await.unwrap();
    assert_eq!(store.sealed_keys(here, START, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_wiped_tenant_leaves_nothing_and_the_texts_were_never_there() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    for name in ["acme", "other"] {
        let tenant = tenant(name);
        store.begin_create(&tenant, &key("jane.doe@example.com"), input("a"), START).await.unwrap();
        store.finish_create(&tenant, &key("jane.doe@example.com"), &project("p")).await.unwrap();
        let pair = vec![("jane-doe".to_owned(), project("p"))];
        store.remember_external_ids(&tenant, pair, Origin::Seen).await.unwrap();
        let key = SealedKey { tenant, sealed: vec![1], expires_at: later(START, Duration::from_secs(1)) };
        store.keep_sealed_key(input("realm"), key).await.unwrap();
    }
    store.wipe_tenant(&tenant("acme")).await.unwrap();
    assert_eq!(store.project_by_external_id(&tenant("acme"), "jane-doe").await.unwrap(), None);
    let left = store.project_by_external_id(&tenant("other"), "jane-doe").await.unwrap();
    assert_eq!(left, Some(project("p")));
    assert_eq!(store.sealed_keys(input("realm"), START, 10).await.unwrap().len(), 1);

    store.db.close().await;
    let bytes = std::fs::read(directory.path().join("heliograph.db")).unwrap();
    for text in ["jane", "acme"] {
        assert!(!bytes.windows(text.len()).any(|it| it == text.as_bytes()), "{text}");
    }
}
