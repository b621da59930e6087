//! Deliveries by the thousand while the process is killed: nothing acknowledged is lost, and nothing comes twice.
//!
//! The full storm, with its figures for speed, is `make soak`.

use std::time::Duration;

use crate::load::{Gateway, Storm, gateway::sandbox, storm::Progress};

/// What any test may take of memory.
const MEMORY: u64 = 256 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_storm_with_kills_every_acknowledged_delivery_is_heard_once_and_in_its_order_by_all_who_resume()
{
    const STORM: Storm = Storm { designs: 20, of_each: 250, listeners: 10, cuts: 0, stalled: 5 };
    const KILLS: u64 = 5;
    let (sandbox, place) = (sandbox().await, tempfile::tempdir().unwrap());
    let mut gateway = Gateway::start(place.path(), &sandbox);
    let figures = STORM
        .rage(&sandbox, &mut gateway, async |gateway: &mut Gateway, progress: &Progress| {
            let all = (STORM.designs * STORM.of_each * 2) as u64;
            for kill in 1..=KILLS {
                while progress.acknowledged() < all * kill / (KILLS + 1) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                tokio::task::block_in_place(|| {
                    gateway.kill();
                    gateway.again();
                });
            }
        })
        .await;
    assert!(figures.is_exact(), "{}", figures.json());
    assert_eq!((figures.acknowledged, figures.repeats, figures.refused), (10_000, 5_000, 0));
    assert!(figures.kills == 5 && figures.resumed >= 10, "{}", figures.json());
    assert!(figures.peak_bytes < MEMORY, "{}", figures.json());
    gateway.stop();
}
