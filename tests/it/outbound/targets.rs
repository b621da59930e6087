//! Who gets what, and where nothing is ever sent.

use heliograph::{
    app,
    config::Config,
    sandbox::{Fault, FaultRule},
};

use super::*;
use crate::world::OTHER;

const DONE: &str = "performance_simulation_job_completed";

fn borrowed(settings: &[(String, String)]) -> Vec<(&str, &str)> {
    settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

#[tokio::test]
async fn a_target_hears_of_its_own_tenants_only() {
    let (mine, theirs, everybodys) = (Crm::start().await, Crm::start().await, Crm::start().await);
    let mut settings = mine.settings(0, "mine", TENANT);
    settings.extend(theirs.settings(1, "theirs", OTHER));
    settings.extend(everybodys.settings(2, "everybodys", "*"));
    let world = World::with(|_| {}, &borrowed(&settings)).await;
    let (_, design) = world.design().await;
    world.aurora.plant(OTHER, "p", "d").unwrap();
    for round in 0..3 {
        world.complete(&design, &format!("mine-{round}")).await;
        let query = format!("tenant_id={OTHER}&design_id=d&job_id=theirs-{round}&status=succeeded");
        world.deliver(DONE, &query).await;
    }
    takes(&world, &everybodys, 6).await;
    takes(&world, &mine, 3).await;
    takes(&world, &theirs, 3).await;
    assert_eq!(mine.taken(), ["mine-0", "mine-1", "mine-2"]);
    assert_eq!(theirs.taken(), ["theirs-0", "theirs-1", "theirs-2"]);
    for (crm, tenant) in [(&mine, TENANT), (&theirs, OTHER)] {
        assert!(crm.said().iter().all(|it| it.body["data"]["tenantId"] == tenant));
    }
}

#[tokio::test]
async fn what_waits_of_a_tenant_is_not_sent_once_the_target_has_lost_that_tenant() {
    let crm = Crm::start().await;
    let both = format!("{TENANT},{OTHER}");
    let mut world = World::with(|_| {}, &borrowed(&crm.settings(0, "crm", &both))).await;
    let (_, design) = world.design().await;
    world.aurora.plant(OTHER, "p", "d").unwrap();
    crm.says(503);
    world.complete(&design, "mine").await;
    hears(&world, &crm, 1).await;
    let query = format!("tenant_id={OTHER}&design_id=d&job_id=theirs&status=succeeded");
    world.deliver(DONE, &query).await;
    pending_become(&world, 2).await;
    hears(&world, &crm, 2).await;
    world.set(crm.settings(0, "crm", TENANT));
    world.restart().await;
    pending_become(&world, 1).await;
    crm.says(200);
    world.advance(A_REST);
    takes(&world, &crm, 1).await;
    pending_become(&world, 0).await;
    // It comes back: what was given up with it stays so.
    world.set(crm.settings(0, "crm", &both));
    world.restart().await;
    world.complete(&design, "marker").await;
    takes(&world, &crm, 2).await;
    assert_eq!(crm.taken(), ["mine", "marker"]);
}

#[tokio::test]
async fn a_target_gets_the_types_that_it_asked_for() {
    let crm = Crm::start().await;
    let types = "agreement.status_changed,design.simulation_ended,other";
    let world = world(&crm, &[("HELIOGRAPH_DELIVER__0__TYPES", types)]).await;
    let (_, design) = world.design().await;
    world.complete(&design, "not-wanted").await;
    let of = format!("tenant_id={TENANT}&design_id={design}");
    world.deliver(DONE, &format!("{of}&job_id=j&status=failed")).await;
    world
        .deliver(
            "agreement_status_changed",
            &format!("tenant_id={TENANT}&agreement_id=a1&project_id=p&status=signed"),
        )
        .await;
    world.deliver("project_created", &format!("tenant_id={TENANT}&project_id=p&source=app")).await;
    world.deliver("design_created", &format!("{of}&project_id=p&source=app")).await;
    world.announced_become(5).await;
    takes(&world, &crm, 3).await;
    pending_become(&world, 0).await;
    let mut said = crm.said();
    said.sort_by_key(|it| it.body["type"].to_string());
    let types: Vec<_> = said.iter().map(|it| it.body["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["agreement.status_changed", "design.simulation_ended", "other"]);
    let data = |at: usize| &said[at].body["data"];
    assert_eq!((&data(0)["status"], &data(0)["statusText"]), (&Value::Null, &json!("signed")));
    assert!(
        data(0)["parameters"].as_array().unwrap().contains(&json!({ "name": "agreement_id", "value": "a1" }))
    );
    assert_eq!((&data(1)["status"], &data(1)["summary"]), (&json!("FAILED"), &Value::Null));
    assert_eq!(data(2)["name"], "design_created");
    assert!(said.iter().all(|it| !String::from_utf8_lossy(&it.bytes).contains("session_token")));
}

#[tokio::test]
async fn a_summary_that_cannot_be_read_is_null_and_says_why() {
    let crm = Crm::start().await;
    let world = world(&crm, &[]).await;
    let (_, design) = world.design().await;
    world.aurora.fail(FaultRule::new("GET", "/tenants/*/designs/*/summary", Fault::status(403))).unwrap();
    world.complete(&design, "1").await;
    takes(&world, &crm, 1).await;
    let data = crm.said().remove(0).body["data"].clone();
    assert_eq!((&data["summary"], &data["summaryNote"]), (&Value::Null, &json!("UPSTREAM_FORBIDDEN")));
    assert_eq!(data["designId"], design);
}

#[tokio::test]
async fn a_new_target_begins_now_or_with_the_oldest_and_is_remembered_by_its_name() {
    let (new, old) = (Crm::start().await, Crm::start().await);
    let mut world = World::start().await;
    let (_, design) = world.design().await;
    world.complete(&design, "before").await;
    world.announced_become(1).await;
    let mut settings = new.settings(0, "new", TENANT);
    settings.extend(old.settings(1, "old", TENANT));
    settings.push(("HELIOGRAPH_DELIVER__1__FROM".to_owned(), "oldest".to_owned()));
    world.set(settings);
    world.restart().await;
    takes(&world, &old, 1).await;
    world.complete(&design, "after").await;
    takes(&world, &new, 1).await;
    takes(&world, &old, 2).await;
    assert_eq!(
        (new.taken(), old.taken()),
        (vec!["after".to_owned()], vec!["before".to_owned(), "after".to_owned()])
    );
    // Known by now: neither begins anew.
    world.restart().await;
    world.complete(&design, "last").await;
    takes(&world, &new, 2).await;
    takes(&world, &old, 3).await;
    assert_eq!(new.taken(), ["after", "last"]);
    assert_eq!(old.taken(), ["before", "after", "last"]);
    assert_eq!(seen(&world).await["gapAt"], Value::Null);
}

#[tokio::test]
async fn what_was_pruned_before_it_could_be_sent_is_told_and_the_rest_goes_on() {
    let crm = Crm::start().await;
    let mut world = world(&crm, &[("HELIOGRAPH_STORE__RETENTION", "1h")]).await;
    let ((_, one), (_, other)) = (world.design().await, world.design().await);
    crm.says(503);
    world.complete(&one, "lost-1").await;
    hears(&world, &crm, 1).await;
    world.complete(&one, "lost-2").await;
    pending_become(&world, 2).await;
    world.advance(Duration::from_secs(2 * 60 * 60));
    // At a start, what is too old goes at once. What is held in memory of a lane is gone with the restart, too.
    world.restart().await;
    world.eventually("pruned", || async { world.announced().await.is_empty() }).await;
    crm.says(200);
    world.advance(A_REST);
    world.complete(&other, "kept").await;
    takes(&world, &crm, 1).await;
    world.eventually("the gap is told", || async { seen(&world).await["gapAt"] != Value::Null }).await;
    pending_become(&world, 0).await;
    assert!(crm.taken().contains(&"kept".to_owned()));
}

#[tokio::test]
async fn what_is_gone_of_other_designs_is_no_gap_of_one_whose_events_all_wait() {
    let crm = Crm::start().await;
    let mut world = world(&crm, &[("HELIOGRAPH_STORE__RETENTION", "1h")]).await;
    let ((_, one), (_, other)) = (world.design().await, world.design().await);
    crm.answers(|body| {
        let fails = body["data"]["jobId"] != "elsewhere";
        if fails { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }.into_response()
    });
    world.complete(&one, "old").await;
    hears(&world, &crm, 1).await;
    world.complete(&other, "elsewhere").await;
    takes(&world, &crm, 1).await;
    world.advance(Duration::from_secs(50 * 60));
    world.complete(&one, "young").await;
    pending_become(&world, 2).await;
    crm.answers(|body| {
        let fails = body["data"]["jobId"] == "young";
        if fails { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }.into_response()
    });
    // The old one is taken by now, and so settled; the young one, of the same design, is not.
    world.advance(Duration::from_secs(5 * 60));
    takes(&world, &crm, 2).await;
    pending_become(&world, 1).await;
    world.advance(Duration::from_secs(15 * 60));
    world.restart().await;
    world.eventually("pruned", || async { world.announced().await.len() == 1 }).await;
    crm.says(200);
    world.advance(A_REST);
    takes(&world, &crm, 3).await;
    pending_become(&world, 0).await;
    assert_eq!(crm.taken(), ["elsewhere", "old", "young"]);
    assert_eq!(seen(&world).await["gapAt"], Value::Null);
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_not_followed() {
    let crm = Crm::start().await;
    let world = world(&crm, &[]).await;
    let (_, design) = world.design().await;
    let elsewhere = crm.url.replace("/hooks/", "/elsewhere/");
    for status in [302_u16, 307, 308] {
        let location = elsewhere.clone();
        crm.answers(move |_| {
            (StatusCode::from_u16(status).unwrap(), [("location", location.clone())]).into_response()
        });
        let before = crm.said().len();
        if before == 0 {
            world.complete(&design, "1").await;
        }
        world.advance(A_REST);
        world
            .eventually("the failure is told", || async {
                seen(&world).await["lastFailureCode"] == format!("HTTP_{status}")
            })
            .await;
    }
    crm.says(200);
    world.advance(A_REST);
    takes(&world, &crm, 1).await;
    assert!(crm.said().iter().all(|it| it.path == format!("/hooks/{PATH_KEY}")));
}

#[tokio::test]
async fn a_target_that_hangs_is_given_up_in_time_and_takes_the_message_later() {
    let world = World::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let crm = Crm::start().await;
    let mut settings = crm.settings(0, "crm", TENANT);
    settings[1].1 = format!("http://{}/", listener.local_addr().unwrap());
    settings.push(("HELIOGRAPH_OUTBOUND__TIMEOUT".to_owned(), "300ms".to_owned()));
    let mut world = world;
    world.set(settings);
    world.restart().await;
    let (_, design) = world.design().await;
    world.complete(&design, "1").await;
    world.eventually("timed out", || async { seen(&world).await["lastFailureCode"] == "TIMED_OUT" }).await;
    drop(listener);
    world.advance(A_REST);
    world
        .eventually("unreachable", || async { seen(&world).await["lastFailureCode"] == "UNREACHABLE" })
        .await;
    world.set(crm.settings(0, "crm", TENANT));
    world.restart().await;
    world.advance(A_REST);
    takes(&world, &crm, 1).await;
}

/// What is wrong with a target at this URL, which may lead to these private hosts.
fn refusal(url: &str, allowed: &str) -> Option<String> {
    let settings =
        [("NAME", "crm"), ("URL", url), ("SECRET", SECRET), ("TENANTS", "*"), ("ALLOW_PRIVATE", allowed)]
            .map(|(key, value)| (format!("HELIOGRAPH_DELIVER__0__{key}"), value.to_owned()));
    match Config::load(None, settings) {
        Err(error) => Some(error.to_string()),
        Ok(config) => app::check_targets(&config).err().map(|error| format!("{error:#}")),
    }
}

#[test]
fn a_target_that_leads_inside_or_shows_its_messages_is_refused_at_start() {
    for url in [
        "https://10.1.2.3/Qm7hX2pLw9",
        "https://192.168.0.1/Qm7hX2pLw9",
        "https://127.0.0.1/Qm7hX2pLw9",
        "https://localhost/Qm7hX2pLw9",
        "https://[::1]/Qm7hX2pLw9",
        "https://[fd00::1]/Qm7hX2pLw9",
        "https://[::ffff:10.0.0.1]/Qm7hX2pLw9",
        "https://100.64.0.1/Qm7hX2pLw9",
        "https://2130706433/Qm7hX2pLw9",
        "https://169.254.169.254/Qm7hX2pLw9",
        "https://[fe80::1]/Qm7hX2pLw9",
        "http://crm.example/Qm7hX2pLw9",
        "http://127.0.0.1/Qm7hX2pLw9",
        "https://user:word@crm.example/Qm7hX2pLw9",
        "https://crm.example/#Qm7hX2pLw9",
        "ftp://crm.example/Qm7hX2pLw9",
        "Qm7hX2pLw9",
    ] {
        let said = refusal(url, "other.example").unwrap_or_else(|| panic!("{url} is accepted"));
        assert!(said.contains("deliver") && !said.contains("Qm7hX2pLw9"), "{said}");
    }
    for (url, allowed) in [
        ("https://crm.example/", "[]"),
        ("https://10.1.2.3/", "10.1.2.3"),
        ("https://[::1]/", "[\"[::1]\"]"),
        ("https://[fd00::1]/", "fd00::1"),
        ("http://localhost:8080/", "localhost"),
    ] {
        assert_eq!(refusal(url, allowed), None, "{url}");
    }
    // Nobody may allow these, nor plain text to another machine.
    for url in ["https://169.254.169.254/", "https://0.0.0.0/", "https://[fe80::1]/", "http://10.1.2.3/"] {
        assert!(refusal(url, "169.254.169.254,0.0.0.0,fe80::1,10.1.2.3").is_some(), "{url}");
    }
}

#[test]
fn check_config_judges_targets_and_shows_neither_url_nor_secret() {
    let place = tempfile::tempdir().unwrap();
    let run = |url: &str| {
        let settings: BTreeMap<_, _> = [
            ("DELIVER__0__NAME", "crm"),
            ("DELIVER__0__URL", url),
            ("DELIVER__0__SECRET", SECRET),
            ("DELIVER__0__TENANTS", "*"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        command(place.path(), &settings).arg("check-config").output().unwrap()
    };
    let good = run("https://crm.example/Qm7hX2pLw9");
    let said = String::from_utf8(good.stdout).unwrap();
    assert!(good.status.success() && said.contains("deliver[0].url = [redacted]"), "{said}");
    let bad = run("https://10.0.0.1/Qm7hX2pLw9");
    let complaint = String::from_utf8(bad.stderr).unwrap();
    assert!(!bad.status.success() && complaint.contains("leads to a private address"), "{complaint}");
    for text in [said, complaint] {
        assert!(!text.contains("Qm7hX2pLw9") && !text.contains(&SECRET[6..]), "{text}");
    }
}
