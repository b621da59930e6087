//! Messages go to whom a trusted authority vouches for, and to nobody else.

use super::*;
use crate::world::authority::Authority;

fn settings(crm: &Crm, authority: Option<&Authority>) -> Vec<(String, String)> {
    let mut settings = crm.settings(0, "crm", TENANT);
    let file = authority.map(|it| it.file().display().to_string()).unwrap_or_default();
    settings.push(("HELIOGRAPH_DELIVER__0__CA_FILE".to_owned(), file));
    settings.retain(|(_, value)| !value.is_empty());
    settings
}

#[tokio::test]
async fn a_message_goes_over_tls_to_a_host_whose_authority_is_named() {
    let authority = Authority::new();
    let crm = Crm::start_tls(authority.vouches_for("localhost")).await;
    let mut world = World::start().await;
    world.set(settings(&crm, Some(&authority)));
    world.restart().await;
    let (_, design) = world.design().await;
    for job in ["1", "2"] {
        world.complete(&design, job).await;
    }
    takes(&world, &crm, 2).await;
    assert_eq!(crm.taken(), ["1", "2"]);
    assert!(crm.said().iter().all(|it| it.is_signed_by(SECRET)));
    assert_eq!(seen(&world).await["host"], "localhost");
}

#[tokio::test]
async fn a_host_for_whom_nobody_vouches_who_is_trusted_hears_nothing() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let good = Crm::start_tls(ours.vouches_for("localhost")).await;
    let renamed = Crm::start_tls(ours.vouches_for("crm.example")).await;
    let expired = Crm::start_tls(ours.vouched_for("localhost")).await;
    let mut world = World::start().await;
    world.set(settings(&good, None));
    world.restart().await;
    let (_, design) = world.design().await;
    world.complete(&design, "1").await;
    let cases = [
        ("the system's authorities", &good, None),
        ("another authority", &good, Some(&theirs)),
        ("another host's certificate", &renamed, Some(&ours)),
        ("an old certificate", &expired, Some(&ours)),
    ];
    for (what, crm, authority) in cases {
        world.set(settings(crm, authority));
        world.restart().await;
        world.advance(A_REST);
        let at = json!(world.clock.now().to_string());
        world
            .eventually(what, || async {
                let target = seen(&world).await;
                target["lastFailureCode"] == "TLS_FAILED" && target["lastFailureAt"] == at
            })
            .await;
        assert!(world.count(r#"heliograph_outbound_tries_total{target="crm",outcome="failed"}"#).await > 0);
        assert_eq!(crm.said().len(), 0, "{what}");
    }
    world.set(settings(&good, Some(&ours)));
    world.restart().await;
    world.advance(A_REST);
    takes(&world, &good, 1).await;
    assert_eq!((renamed.said().len(), expired.said().len()), (0, 0));
}

#[test]
fn a_file_that_names_no_authority_is_refused_before_anything_starts() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("empty.pem"), "nothing of the kind").unwrap();
    for (file, why) in [("missing.pem", "cannot be read"), ("empty.pem", "holds no certificates in PEM")] {
        let settings: BTreeMap<_, _> = [
            ("DELIVER__0__NAME", "crm"),
            ("DELIVER__0__URL", "https://crm.example/"),
            ("DELIVER__0__SECRET", SECRET),
            ("DELIVER__0__TENANTS", "*"),
            ("DELIVER__0__CA_FILE", file),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        let bad = command(place.path(), &settings).arg("check-config").output().unwrap();
        let complaint = String::from_utf8(bad.stderr).unwrap();
        assert!(!bad.status.success() && complaint.contains(&format!("ca_file {why}")), "{complaint}");
    }
}
