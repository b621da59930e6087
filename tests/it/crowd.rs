//! Many readers at once: one that stops, all that come back, each that is cut off, and too many for the files there are.
//!
//! The full numbers, with their figures for speed, are part of `make soak`.

#![expect(clippy::print_stdout, reason = "what was measured is worth knowing, however generous the bound is")]

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{io::AsyncReadExt, net::TcpStream, task::JoinSet};

use crate::load::{
    Crowd, Gateway, Storm,
    caller::{Caller, completion},
    crowd::client,
    gateway::{KEY, sandbox},
    process::connections,
    socket::{Said, Socket},
    storm::Progress,
};

fn settings(all: &[(&str, &str)]) -> Vec<(String, String)> {
    // So that its memory is what it holds, and not what its allocator keeps for later.
    let all = all.iter().chain(&[("MIMALLOC_PURGE_DELAY", "0")]);
    all.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

const SUBSCRIBERS: (&str, &str) = ("HELIOGRAPH_LIMITS__SUBSCRIBERS_PER_TENANT", "20000");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_one_that_stops_reading_all_others_hear_at_once_and_it_goes_on_where_it_was() {
    let (sandbox, place) = (sandbox().await, tempfile::tempdir().unwrap());
    let patience = ("HELIOGRAPH_LIMITS__WRITE_TIMEOUT", "2s");
    let mut gateway = Gateway::start_with(place.path(), &sandbox, settings(&[SUBSCRIBERS, patience]));
    let readers = connections(999);
    let beside = Crowd::beside_a_stalled_reader(&gateway, readers, 45).await;
    println!(
        "{readers} others: 99 of 100 frames within {:?}; closed after {:?}; {} bytes more memory",
        beside.frames.percentile(99),
        beside.closed_after,
        beside.grown_bytes
    );
    assert_eq!((beside.reason.0, beside.differing), (4008, 0), "{beside:?}");
    assert!(beside.closed_after < Duration::from_secs(10), "{:?}", beside.closed_after);
    // What the machine does besides falls on these, so they are generous: the aims are 250 ms and 1 MB.
    assert!(beside.frames.percentile(99) < Duration::from_secs(3), "{:?}", beside.frames.percentile(99));
    assert!(beside.grown_bytes < 8_000_000, "{}", beside.grown_bytes);
    gateway.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_cut_off_five_times_at_whatever_moment_misses_nothing_and_hears_nothing_twice() {
    const STORM: Storm = Storm { designs: 10, of_each: 10, listeners: 200, cuts: 5, stalled: 0 };
    let (sandbox, place) = (sandbox().await, tempfile::tempdir().unwrap());
    let mut gateway = Gateway::start_with(place.path(), &sandbox, settings(&[SUBSCRIBERS]));
    let storm = Storm { listeners: connections(STORM.listeners), ..STORM };
    let figures = storm.rage(&sandbox, &mut gateway, async |_: &mut Gateway, _: &Progress| {}).await;
    assert!(figures.is_exact(), "{}", figures.json());
    assert_eq!(figures.resumed, (storm.listeners * storm.cuts) as u64, "{}", figures.json());
    gateway.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_all_come_back_at_once_all_are_let_in_and_queries_are_answered_meanwhile() {
    let (sandbox, place) = (sandbox().await, tempfile::tempdir().unwrap());
    let mut gateway = Gateway::start_with(place.path(), &sandbox, settings(&[SUBSCRIBERS]));
    let readers = connections(1_000);
    let back = Crowd::comes_back(&mut gateway, readers).await;
    println!(
        "{readers} back after {:?}, 99 of 100 queries within {:?}",
        back.took,
        back.queries.percentile(99)
    );
    assert_eq!(back.differing, 0);
    assert!(back.took < Duration::from_secs(30), "{:?}", back.took);
    // Here too the machine's other work counts: the aim is a second.
    assert!(back.queries.percentile(99) < Duration::from_secs(5), "{:?}", back.queries.percentile(99));
    gateway.stop();
}

/// So many connections that say nothing, each until it is hung up on or until this is dropped.
fn silent(address: SocketAddr, count: usize) -> JoinSet<()> {
    let connect = |_| async move {
        let Ok(mut stream) = TcpStream::connect(address).await else { return };
        let _end = stream.read(&mut [0]).await;
    };
    (0..count).map(connect).collect()
}

/// The files that it has open.
fn files(gateway: &Gateway) -> usize {
    let pid = gateway.process().unwrap().0.id();
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// How long anything may take for somebody who is being served.
const AT_ONCE: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_ten_thousand_say_nothing_and_files_run_out_who_is_served_goes_on_and_who_comes_later_is() {
    const FILES: u64 = 1024;
    let (sandbox, place) = (sandbox().await, tempfile::tempdir().unwrap());
    let patience = ("HELIOGRAPH_LIMITS__HEADER_TIMEOUT", "1s");
    let mut gateway = Gateway::start_under(place.path(), &sandbox, settings(&[patience]), Some(FILES));
    let address = *gateway.addresses().borrow();
    let document = "subscription { events { ... on DesignCompletedEvent { jobId } } }";
    let mut listener = Socket::open(address, document, None, None).await.unwrap();
    let (asker, mut caller) = (client(), Caller::new(gateway.addresses()));
    let mut serve = async |number: usize| {
        let begun = Instant::now();
        // A design that nobody has asked for yet: Aurora is asked, and has to be reached for that.
        let design = format!("d{number}");
        sandbox.handle().plant(heliograph::sandbox::TENANT, &format!("p{number}"), &design).unwrap();
        let query = "query($id: ID!) { designSummary(designId: $id) { moduleCount } }";
        let body = json!({ "query": query, "variables": { "id": design } });
        let request = asker.post(format!("http://{address}/graphql")).bearer_auth(KEY).json(&body);
        let answer = request.send().await.unwrap().text().await.unwrap();
        assert!(answer.contains("moduleCount") && !answer.contains("errors"), "{answer}");
        let job = format!("j{number}");
        assert_eq!(caller.deliver(&completion(&design, &job, "failed")).await, Some(200));
        let Said::Data(heard) = listener.next().await else { panic!("its socket was closed") };
        assert_eq!(heard["events"]["jobId"], job);
        assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    };
    serve(0).await;

    let count = connections(10_000);
    let silent = silent(address, count);
    let (begun, mut most, mut number) = (Instant::now(), 0, 1);
    while most < count.min(640) || begun.elapsed() < Duration::from_secs(3) {
        serve(number).await;
        most = most.max(files(&gateway));
        assert!(begun.elapsed() < Duration::from_secs(60), "it took no more than {most}");
        number += 1;
    }
    assert!(most < 900, "{most} files are open: too few are left");
    assert!(gateway.log().contains("the process may open no more files"));

    drop(silent);
    let begun = Instant::now();
    let later = client().get(format!("http://{address}/graphql?query=%7Bviewer%7Bname%7D%7D"));
    assert_eq!(later.bearer_auth(KEY).send().await.unwrap().status(), 200);
    println!("{count} silent, {most} files; who came later was answered after {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    serve(number).await;
    gateway.stop();
}
