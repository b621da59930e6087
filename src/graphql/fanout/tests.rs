//! Groups without a schema: what is executed, and what happens where that goes wrong.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use async_graphql::{EmptyMutation, Object, Response, Schema, Variables};
use futures_util::{Stream, StreamExt, stream};
use jiff::Timestamp;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    clock::Clock,
    domain::{Delivery, Event, Scope, Seq, TenantId, Viewer, event::Source, viewer::Tenants},
    graphql::{
        Code, Failure,
        answer::{Answer, reply},
        place::{Awaited, Place, Reached},
        prepared::Documents,
        types::Types,
    },
    journal::{Announced, Appended, Filter, Journal, Outcome, SqliteJournal},
    sqlite::Db,
};

struct Query;

#[Object]
impl Query {
    async fn nothing(&self) -> i32 {
        0
    }
}

struct Subscriptions;

#[async_graphql::Subscription]
impl Subscriptions {
    async fn events(&self) -> impl Stream<Item = i32> {
        stream::empty()
    }
}

/// What becomes of an execution.
type Script = Box<dyn Fn(&Event) -> Reply + Send + Sync>;

struct Scripted(Script);

impl Tell for Scripted {
    fn tell(&self, _: &Shared, items: Vec<Item>, _: Option<Arc<str>>) -> BoxStream<'static, Reply> {
        let replies: Vec<_> = items.into_iter().map(|it| (self.0)(&it.unwrap())).collect();
        stream::iter(replies).boxed()
    }
}

fn frame(event: &Event) -> Reply {
    let response = Response::new(async_graphql::Value::from(event.seq.0));
    let reached = Reached { seq: Some(event.seq), cursor: event.seq.0.to_string() };
    reply(Answer { executed: true, response }, Some(reached))
}

struct Bench {
    journal: Arc<SqliteJournal>,
    fanout: Arc<Fanout>,
    shared: Arc<Shared>,
    _stop: tokio_util::sync::DropGuard,
    _directory: TempDir,
}

fn acme() -> TenantId {
    TenantId::parse("acme").unwrap()
}

impl Bench {
    async fn with(backlog: usize, script: Script) -> Self {
        let directory = TempDir::new().unwrap();
        let db = Db::open(&directory.path().join("heliograph.db")).unwrap();
        let journal = Arc::new(SqliteJournal::open(db, Clock::system()).await.unwrap());
        let feed = Feed::new(Arc::clone(&journal) as _, 100);
        let stop = CancellationToken::new();
        tokio::spawn(feed.clone().run(stop.clone()));
        let fanout = Fanout::new(feed, backlog, Arc::default(), Box::new(Scripted(script)));
        let documents = Documents::new(Schema::build(Query, EmptyMutation, Subscriptions));
        let prepared = documents.get("subscription { events }", &Types::default()).unwrap();
        let plan = &prepared.plans()[0];
        let document = prepared.merged(plan, &Variables::default(), &Types::default()).unwrap();
        let viewer = Viewer::new("crm", Tenants::Only(vec![acme()]), vec![Scope::Read]);
        let shared = Arc::new(Shared::over(prepared, None, document, Variables::default(), &viewer));
        Self { journal, fanout, shared, _stop: stop.drop_guard(), _directory: directory }
    }

    /// Somebody who subscribes, and has when this returns.
    async fn join(&self, after: Option<Seq>) -> Subscription {
        let place = Arc::new(Place::asking(None));
        let interest = Interest { tenant: acme(), filter: Filter::default() };
        let seat = self.fanout.feed.seat(&acme()).unwrap();
        let off = Box::pin(std::future::pending());
        place.wait(Awaited { interest, after, seat, off });
        let mut one = Subscription::new(
            &self.fanout,
            Arc::clone(&self.shared),
            stream::empty().boxed(),
            place,
            &"r".into(),
        );
        let look = std::future::poll_fn(|context| std::task::Poll::Ready(one.poll_next_unpin(context)));
        assert!(look.await.is_pending());
        one
    }

    async fn announce(&self, number: u64) -> Seq {
        let delivery = Delivery {
            name: "project_created".to_owned(),
            tenant: Some(acme()),
            design: None,
            project: None,
            job: None,
            status: None,
            parameters: vec![("project_id".to_owned(), number.to_string())],
            received_at: Timestamp::UNIX_EPOCH,
            source: Source::Webhook,
        };
        let Appended::New(seq) = self.journal.append(delivery).await.unwrap() else { panic!("a repeat") };
        match self.journal.announce(seq, Outcome::default()).await.unwrap() {
            Announced::Event(event) => event.seq,
            other => panic!("{other:?}"),
        }
    }
}

async fn hear(one: &mut Subscription) -> Reply {
    let heard = tokio::time::timeout(std::time::Duration::from_secs(20), one.next()).await;
    heard.expect("in time").expect("it goes on")
}

#[tokio::test]
async fn what_breaks_off_for_all_is_tried_for_each_and_nothing_is_lost() {
    let broke_off = AtomicBool::new(false);
    let script: Script = Box::new(move |event| {
        assert!(broke_off.swap(true, Relaxed), "the first execution breaks off");
        frame(event)
    });
    let bench = Bench::with(16, script).await;
    let mut all = [bench.join(None).await, bench.join(None).await];
    let first = bench.announce(1).await;
    let second = bench.announce(2).await;
    for one in &mut all {
        for seq in [first, second] {
            assert_eq!(hear(one).await.unwrap().seq(), Some(seq));
        }
    }
}

#[tokio::test]
async fn what_is_refused_is_told_to_each_and_is_the_end() {
    let script: Script = Box::new(|_| Err(Answer::refused(Failure::new(Code::Internal, "no")).into()));
    let bench = Bench::with(16, script).await;
    let mut all = [bench.join(None).await, bench.join(None).await];
    bench.announce(1).await;
    for one in &mut all {
        assert!(hear(one).await.is_err());
        assert!(one.next().await.is_none());
    }
}

#[tokio::test]
async fn whoever_takes_nothing_holds_little_and_gets_everything_later() {
    const MANY: u64 = 300;
    let bench = Bench::with(4, Box::new(frame)).await;
    let (mut slow, mut quick) = (bench.join(None).await, bench.join(None).await);
    let mut seqs = Vec::new();
    for number in 0..MANY {
        seqs.push(bench.announce(number).await);
        assert_eq!(hear(&mut quick).await.unwrap().seq(), seqs.last().copied());
    }
    assert_eq!(bench.fanout.told.executions.load(Relaxed), MANY, "once for both");
    for seq in seqs {
        assert_eq!(hear(&mut slow).await.unwrap().seq(), Some(seq));
    }
    let last = bench.announce(MANY).await;
    assert_eq!(hear(&mut slow).await.unwrap().seq(), Some(last));
    assert_eq!(hear(&mut quick).await.unwrap().seq(), Some(last));
    // The four that it had room for were made for all, the others for it alone, and the last for all again.
    assert_eq!(bench.fanout.told.executions.load(Relaxed), MANY + (MANY - 4) + 1);
}

#[tokio::test]
async fn a_group_is_gone_with_its_last_member() {
    let bench = Bench::with(4, Box::new(frame)).await;
    let (one, other) = (bench.join(None).await, bench.join(None).await);
    assert_eq!(bench.fanout.lock().len(), 1);
    drop(one);
    assert_eq!(bench.fanout.lock().len(), 1);
    let group = Arc::downgrade(bench.fanout.lock().values().next().unwrap());
    drop(other);
    assert!(bench.fanout.lock().is_empty() && group.upgrade().is_none(), "nobody holds it any more");
}
