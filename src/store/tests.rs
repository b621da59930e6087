//! What the store promises, over restarts.

use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;

use super::*;
use crate::{
    clock::later,
    domain::{Trace, fingerprint::Fingerprinter, project::InputMark},
};

fn open(directory: &TempDir) -> Store {
    Store::new(Db::open(&directory.path().join("heliograph.db")).unwrap())
}

fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

fn project(name: &str) -> ProjectId {
    ProjectId::parse(name).unwrap()
}

fn request(tenant: &TenantId, key: &CreateKey, input: &str) -> Request {
    let canonical = Fingerprinter::new("input").text(input).finish();
    let mut trace = vec![1];
    trace.extend(&canonical.0[..8]);
    Request {
        tenant: tenant.clone(),
        key: key.digest(tenant),
        input: InputMark { canonical, written: canonical },
        trace: Trace::from_bytes(&trace).unwrap(),
    }
}

fn realm(name: &str) -> Fingerprint {
    Fingerprinter::new("realm").text(name).finish()
}

fn key(text: &str) -> CreateKey {
    CreateKey::Idempotency(text.to_owned())
}

fn digest(tenant: &TenantId) -> Fingerprint {
    key("k").digest(tenant)
}

async fn begin(store: &Store, tenant: &TenantId, input: &str, now: Timestamp) -> Begin {
    store.begin_create(&request(tenant, &key("k"), input), now).await.unwrap()
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
    assert_eq!(begin(&store, &acme, "a", START).await, Begin::Go);
    store.finish_create(&acme, digest(&acme), &project("p")).await.unwrap();
    store.abandon_create(&acme, digest(&acme)).await.unwrap();
    store.give_up_create(&acme, digest(&acme), START).await.unwrap();
    store.finish_create(&acme, digest(&acme), &project("other")).await.unwrap();
    drop(store);

    let (store, much_later) = (open(&directory), later(START, Duration::from_secs(1 << 32)));
    assert_eq!(begin(&store, &acme, "a", much_later).await, Begin::Replay(project("p")));
    assert_eq!(begin(&store, &acme, "b", much_later).await, Begin::Conflict);
}

#[tokio::test]
async fn the_input_as_an_older_version_knew_it_is_the_same_input() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let acme = tenant("acme");
    begin(&store, &acme, "as written", START).await;
    let mut canonical = request(&acme, &key("k"), "canonical");
    assert_eq!(store.begin_create(&canonical, START).await.unwrap(), Begin::Conflict);
    canonical.input.written = request(&acme, &key("k"), "as written").input.canonical;
    let again = store.begin_create(&canonical, START).await.unwrap();
    assert_eq!(again, Begin::Unsettled { since: START });
}

#[tokio::test]
async fn of_many_who_begin_at_once_one_goes() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let begins = (0..50).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { begin(&store, &tenant("acme"), "a", START).await })
    });
    let mut went = 0;
    for begin in begins.collect::<Vec<_>>() {
        match begin.await.unwrap() {
            Begin::Go => went += 1,
            begin => assert_eq!(begin, Begin::Unsettled { since: START }),
        }
    }
    assert_eq!(went, 1);
}

#[tokio::test]
async fn a_creation_that_a_crash_interrupted_is_unsettled_until_it_is_settled() {
    let directory = TempDir::new().unwrap();
    let (acme, now) = (tenant("acme"), later(START, Duration::from_secs(60)));
    let store = open(&directory);
    assert_eq!(begin(&store, &acme, "a", START).await, Begin::Go);
    assert_eq!(store.open_creates(&acme).await.unwrap(), [], "it is under way, as far as anybody knows");
    drop(store);

    let store = open(&directory);
    assert_eq!(store.adopt_creates(now).await.unwrap(), std::slice::from_ref(&acme));
    let left = store.open_creates(&acme).await.unwrap();
    assert_eq!((left[0].since, left[0].lost_at, left[0].looks), (START, now, 0));
    assert_eq!(begin(&store, &acme, "a", now).await, Begin::Unsettled { since: START });
    assert_eq!(begin(&store, &acme, "b", now).await, Begin::Conflict, "also while nobody knows");
    store.count_look(&acme, digest(&acme)).await.unwrap();
    assert_eq!(store.open_creates(&acme).await.unwrap()[0].looks, 1);
    assert!(store.settle_create(&acme, digest(&acme), &project("p")).await.unwrap());
    assert_eq!(begin(&store, &acme, "a", now).await, Begin::Replay(project("p")));
    assert_eq!(store.adopt_creates(now).await.unwrap(), []);
}

#[tokio::test]
async fn a_project_is_found_for_one_creation_only() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let acme = tenant("acme");
    let keys = ["k", "l", "m"].map(key);
    for key in &keys {
        store.begin_create(&request(&acme, key, "a"), START).await.unwrap();
        store.unsettle_create(&acme, key.digest(&acme), START).await.unwrap();
    }
    store.claim_project(&acme, &project("without a key"), START).await.unwrap();
    let digests = keys.map(|it| it.digest(&acme));
    assert!(!store.settle_create(&acme, digests[0], &project("without a key")).await.unwrap());
    assert!(store.settle_create(&acme, digests[0], &project("p")).await.unwrap());
    assert!(!store.settle_create(&acme, digests[1], &project("p")).await.unwrap());
    let asked = ["p", "q", "without a key"].map(project).to_vec();
    assert_eq!(store.claimed(&acme, asked).await.unwrap(), ["p", "without a key"].map(project));
    store.give_up_create(&acme, digests[1], later(START, Duration::from_secs(1))).await.unwrap();
    assert_eq!(store.create_standing(&acme, digests[1]).await.unwrap(), Standing::Open, "begun anew since");
    store.give_up_create(&acme, digests[1], START).await.unwrap();
    assert_eq!(store.create_standing(&acme, digests[1]).await.unwrap(), Standing::Unheard);
}

#[tokio::test]
async fn a_preview_says_what_would_come_of_beginning_and_begins_nothing() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let acme = tenant("acme");
    let asked = request(&acme, &key("k"), "a");
    for _ in 0..2 {
        assert_eq!(store.preview_create(&asked).await.unwrap(), Begin::Go);
    }
    begin(&store, &acme, "a", START).await;
    assert_eq!(store.preview_create(&asked).await.unwrap(), Begin::Unsettled { since: START });
    assert_eq!(store.open_creates(&acme).await.unwrap(), []);
}

#[tokio::test]
async fn an_abandoned_key_may_be_used_again_with_other_input() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let acme = tenant("acme");
    begin(&store, &acme, "a", START).await;
    store.abandon_create(&acme, digest(&acme)).await.unwrap();
    assert_eq!(begin(&store, &acme, "b", START).await, Begin::Go);
}

#[tokio::test]
async fn keys_of_other_tenants_and_of_the_other_kind_are_other_keys() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let external = CreateKey::ExternalId("k".to_owned());
    for (tenant, key) in [(tenant("a"), key("k")), (tenant("b"), key("k")), (tenant("a"), external)] {
        assert_eq!(store.begin_create(&request(&tenant, &key, "x"), START).await.unwrap(), Begin::Go);
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
    let (here, elsewhere) = (realm("here"), realm("elsewhere"));
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
    assert_eq!(store.prune(now).await.unwrap(), 2);
    assert_eq!(store.sealed_keys(here, START, 10).await.unwrap(), both[..1]);
    store.forget_sealed_key(elsewhere, &tenant("other")).await.unwrap();
    assert_eq!(store.sealed_keys(here, START, 10).await.unwrap(), both[..1]);
    store.forget_sealed_key(here, &tenant("other")).await.unwrap();
    assert_eq!(store.sealed_keys(here, START, 10).await.unwrap(), []);
}

#[tokio::test]
async fn calls_are_counted_over_a_restart_for_as_long_as_they_count_and_those_of_the_future_once() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let (key, other) = (realm("key"), realm("other"));
    let at = |seconds| later(START, Duration::from_secs(seconds));
    let made = |key, seconds, calls| CallsMade { key, until: at(seconds), calls };
    for (key, seconds, now) in [(key, 5, 0), (key, 10, 0), (other, 10, 0), (key, 10, 0), (key, 400, 10)] {
        store.note_calls(made(key, seconds, 1), at(now)).await.unwrap();
    }
    drop(store);

    let store = open(&directory);
    let all = |now| {
        let store = store.clone();
        async move {
            let mut all = store.calls_made(at(now)).await.unwrap();
            all.sort_unstable_by_key(|it| (it.until, it.calls));
            all
        }
    };
    let kept = made(other, 10, 1);
    assert_eq!(all(9).await, [kept, made(key, 400, 1)], "a key's own calls throw its old ones away");
    assert_eq!(all(9).await, [kept], "of a time that has not come");
    assert_eq!(all(10).await, [], "it counts no longer");
    let half = Duration::from_millis(500);
    for calls in [2, 3] {
        let made = CallsMade { until: later(at(499), half), ..made(key, 500, calls) };
        store.note_calls(made, at(430)).await.unwrap();
    }
    assert_eq!(store.prune(at(320)).await.unwrap(), 0);
    assert_eq!(all(499).await, [made(key, 500, 5)]);
    assert_eq!(store.prune(at(319)).await.unwrap(), 1, "the clock was set back");
    assert_eq!(all(499).await, []);

    store.note_calls(made(key, 600, 1), at(530)).await.unwrap();
    let others = vec![made(other, 570, 1), made(other, 580, 2)];
    let same = others.clone();
    store.replace_calls(move || same).await.unwrap();
    assert_eq!(all(530).await, others);
    assert_eq!(store.prune(at(580)).await.unwrap(), 2);
}

#[tokio::test]
async fn a_wiped_tenant_leaves_nothing_and_the_texts_were_never_there() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    for name in ["acme", "other"] {
        let tenant = tenant(name);
        let key = key("jane.doe@example.com");
        store.begin_create(&request(&tenant, &key, "a"), START).await.unwrap();
        store.finish_create(&tenant, key.digest(&tenant), &project("p")).await.unwrap();
        let pair = vec![("jane-doe".to_owned(), project("p"))];
        store.remember_external_ids(&tenant, pair, Origin::Seen).await.unwrap();
        let key = SealedKey { tenant, sealed: vec![1], expires_at: later(START, Duration::from_secs(1)) };
        store.keep_sealed_key(realm("realm"), key).await.unwrap();
    }
    store.wipe_tenant(&tenant("acme")).await.unwrap();
    assert_eq!(store.project_by_external_id(&tenant("acme"), "jane-doe").await.unwrap(), None);
    let left = store.project_by_external_id(&tenant("other"), "jane-doe").await.unwrap();
    assert_eq!(left, Some(project("p")));
    assert_eq!(store.sealed_keys(realm("realm"), START, 10).await.unwrap().len(), 1);

    store.db.close().await;
    let bytes = std::fs::read(directory.path().join("heliograph.db")).unwrap();
    for text in ["jane", "acme"] {
        assert!(!bytes.windows(text.len()).any(|it| it == text.as_bytes()), "{text}");
    }
}
