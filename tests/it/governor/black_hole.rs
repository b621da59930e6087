//! Connections that carry nothing any more, though neither end has heard of it.

use std::{future::pending, net::SocketAddr, time::Instant};

use heliograph::sandbox::{Fault, FaultRule};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::*;

/// Stands before Aurora and passes bytes on, until it swallows those of all connections that there are.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    accepted: watch::Sender<usize>,
    /// Connections up to this one are dead.
    swallows: watch::Sender<usize>,
}

impl Proxy {
    pub(super) async fn before(aurora: &str) -> Self {
        let target = url::Url::parse(aurora).unwrap().socket_addrs(|| None).unwrap()[0];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (accepted, swallows) = (watch::Sender::new(0), watch::Sender::new(0));
        let proxy = Self { address, accepted: accepted.clone(), swallows: swallows.clone() };
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                accepted.send_modify(|it| *it += 1);
                let number = *accepted.borrow();
                let (near_read, near_write) = near.into_split();
                let (far_read, far_write) = TcpStream::connect(target).await.unwrap().into_split();
                tokio::spawn(pass(near_read, far_write, number, swallows.subscribe()));
                tokio::spawn(pass(far_read, near_write, number, swallows.subscribe()));
            }
        });
        proxy
    }

    pub(super) fn swallow(&self) {
        self.swallows.send_replace(*self.accepted.borrow());
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    number: usize,
    swallows: watch::Receiver<usize>,
) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        if *swallows.borrow() >= number {
            // Both ends stay open, and hear nothing.
            pending::<()>().await;
        }
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

/// Has so many connections kept.
async fn pool(world: &World, proxy: &Proxy, connections: u32) {
    // Long enough for all calls to be under way at once.
    world.aurora.fail(FaultRule::new("GET", "/tenants/*/designs/*", Fault::Delay { ms: 500 })).unwrap();
    ask_for(world, 0..connections).await;
    world.aurora.clear_faults();
    assert_eq!(*proxy.accepted.borrow(), connections as usize);
}

/// A fifth of the usual times, so that two seconds stand for ten.
pub(super) const HASTY: [(&str, &str); 2] =
    [("HELIOGRAPH_AURORA__REQUEST_TIMEOUT", "2s"), ("HELIOGRAPH_AURORA__CALL_TIMEOUT", "1600ms")];

async fn behind_a_proxy(settings: &[(&str, &str)]) -> (World, Proxy) {
    let mut world = World::with(|_| {}, settings).await;
    let proxy = Proxy::before(&world.aurora_url()).await;
    let base_url = format!("http://{}", proxy.address);
    world.restart_with(&[("HELIOGRAPH_AURORA__BASE_URL", &base_url)]).await;
    world.query("{ projects { nodes { name } } }").await.sound();
    (world, proxy)
}

#[tokio::test]
async fn of_pooled_connections_that_went_dead_at_most_one_request_suffers_and_all_is_well_soon() {
    for pooled in [1, 4] {
        let (world, proxy) = behind_a_proxy(&HASTY).await;
        pool(&world, &proxy, pooled).await;

        proxy.swallow();
        let (begun, mut failed) = (Instant::now(), 0);
        while ask_for(&world, 100 + failed..101 + failed).await[0].errors() != ["NOT_FOUND at design"] {
            failed += 1;
        }
        let took = begun.elapsed();
        assert!(failed <= 1 && took <= Duration::from_secs(3), "{pooled}: {failed} failed, {took:?}");
        let begun = Instant::now();
        for answer in ask_for(&world, 200..210).await {
            assert_eq!(answer.errors(), ["NOT_FOUND at design"]);
        }
        assert!(begun.elapsed() < Duration::from_millis(1_500), "and none is left: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn calls_that_are_lost_together_are_lost_once() {
    let patient = [("HELIOGRAPH_AURORA__REQUEST_TIMEOUT", "2s"), ("HELIOGRAPH_AURORA__CALL_TIMEOUT", "8s")];
    let (world, proxy) = behind_a_proxy(&patient).await;
    pool(&world, &proxy, 16).await;
    proxy.swallow();
    let begun = Instant::now();
    for answer in ask_for(&world, 100..104).await {
        assert_eq!(answer.errors(), ["NOT_FOUND at design"]);
    }
    // Over a dead connection again, it would take twice as long.
    assert!(begun.elapsed() < Duration::from_millis(3_900), "{:?}", begun.elapsed());
}
