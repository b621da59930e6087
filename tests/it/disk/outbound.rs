//! A target, while how far it has come cannot be written down.

use std::collections::HashSet;

use super::*;
use crate::world::crm::Crm;

#[tokio::test(flavor = "multi_thread")]
async fn while_its_progress_cannot_be_written_a_target_gets_nothing_more_and_later_everything_once() {
    let crm = Crm::start().await;
    let mut settings = crm.settings(0, "crm", heliograph::sandbox::TENANT);
    settings.push(("HELIOGRAPH_DELIVER__0__TYPES".to_owned(), "design.simulation_ended".to_owned()));
    let mut disk = Disk::start_with(settings).await;
    let mut kept = disk.deliver_some(3).await;
    disk.eventually("three are taken", || async { crm.taken().len() == 3 }).await;
    disk.eventually("nothing waits", || async {
        disk.metric(r#"heliograph_outbound_pending{target="crm"}"#).await == 0.0
    })
    .await;

    // One is under way when the disk fills up. It is taken, and that cannot be written.
    crm.hold();
    kept.extend(disk.deliver_some(1).await);
    disk.eventually("one is under way", || async { crm.arrived() == 4 }).await;
    disk.set(Fault::Full);
    kept.extend(disk.deliver_until_refused(&kept).await);
    disk.is_unready("the disk is full").await;
    crm.release();
    disk.eventually("the target is stalled", || async {
        disk.metric(r#"heliograph_outbound_stalled{target="crm"}"#).await == 1.0
    })
    .await;
    assert_eq!(crm.taken(), kept[..4], "what comes behind it waits for the disk");
    assert!(disk.gateway.log().contains("progress cannot be written down"));

    disk.set(Fault::None);
    disk.becomes_ready().await;
    disk.eventually("all are taken", || async { crm.taken().len() >= kept.len() }).await;
    disk.eventually("nothing waits", || async {
        disk.metric(r#"heliograph_outbound_pending{target="crm"}"#).await == 0.0
    })
    .await;
    assert_eq!(disk.metric(r#"heliograph_outbound_stalled{target="crm"}"#).await, 0.0);
    // A marker behind them: whatever else were on its way would be before it.
    kept.extend(disk.deliver_some(1).await);
    disk.eventually("the marker is taken", || async { crm.taken().last() == kept.last() }).await;
    assert_eq!(crm.taken(), kept);
    let ids: HashSet<_> = crm.said().iter().map(|it| it.header("webhook-id").to_owned()).collect();
    assert_eq!(ids.len(), kept.len());
}
