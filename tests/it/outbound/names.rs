//! A name is not an address: whoever rules over it can let it lead inside, from one look-up to the next.

use std::path::Path;

use super::*;
use crate::{preload, world::authority::Authority};

/// The binary, before whose eyes the name of its target changes.
struct Misled {
    _running: Running,
    admin: String,
    base: String,
    names: std::path::PathBuf,
}

impl Misled {
    fn start(world: &World, place: &Path, further: &[(&str, &str)]) -> Self {
        let names = place.join("names");
        let settings = world.settings().iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let further = further.iter().copied().chain([("HELIOGRAPH_STORE__PATH", "heliograph.db")]);
        let settings: BTreeMap<_, _> = settings
            .chain(further)
            .map(|(key, value)| (key.strip_prefix("HELIOGRAPH_").unwrap(), value.to_owned()))
            .collect();
        let mut command = command(place, &settings);
        command.env("LD_PRELOAD", preload::library("outbound/names.c")).env("NAMES", &names);
        let (running, base, said) =
            Running::start_logging(command.arg("serve"), "listens on ", Stdio::null());
        let admin = said.split("(admin ").nth(1).unwrap().split(')').next().unwrap().to_owned();
        Self { _running: running, admin, base, names }
    }

    /// From now on the name leads there.
    fn leads_to(names: &Path, address: &str) {
        let fresh = names.with_extension("new");
        std::fs::write(&fresh, address).unwrap();
        std::fs::rename(fresh, names).unwrap();
    }

    fn asked(&self) -> usize {
        let path = format!("{}.asked", self.names.display());
        std::fs::read_to_string(path).unwrap_or_default().lines().count()
    }

    async fn complete(&self, world: &World, design: &str, job: &str) {
        let url = format!(
            "{}/webhooks/aurora/performance_simulation_job_completed?tenant_id={TENANT}&design_id={design}&job_id={job}&status=succeeded",
            self.base
        );
        let request = world.http.get(url).header("X-Heliograph-Webhook-Token", WEBHOOK_SECRET);
        assert_eq!(request.send().await.unwrap().status(), 200);
    }

    async fn refused(&self, world: &World) -> u64 {
        let page = world.http.get(format!("{}/metrics", self.admin)).send().await.unwrap();
        let line = r#"heliograph_outbound_tries_total{target="crm",outcome="address_refused"} "#;
        let page = page.text().await.unwrap();
        page.lines().find_map(|it| it.strip_prefix(line)).unwrap().parse().unwrap()
    }
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_at_each_connection_also_after_it_led_elsewhere() {
    let authority = Authority::new();
    let crm = Crm::start_tls(authority.vouches_for("crm.test")).await;
    // No connection is used twice, so that each message has its own look-up.
    crm.answers(|_| (StatusCode::OK, [("connection", "close")]).into_response());
    let mut world = World::start().await;
    let (_, design) = world.design().await;
    world.stop().await;
    let url = crm.url.replace("localhost", "crm.test");
    let file = authority.file().display().to_string();
    let mut settings = crm.settings(0, "crm", TENANT);
    settings.retain(|(key, _)| !key.ends_with("__URL") && !key.ends_with("__ALLOW_PRIVATE"));
    settings.push(("HELIOGRAPH_DELIVER__0__URL".to_owned(), url));
    settings.push(("HELIOGRAPH_DELIVER__0__CA_FILE".to_owned(), file));
    world.set(settings);

    // Each time a store of its own, in which nothing rests that could be tried in place of what is looked at.
    let mut places = Vec::new();
    let mut start = |address: &str, further: &[(&str, &str)]| {
        let place = tempfile::tempdir().unwrap();
        Misled::leads_to(&place.path().join("names"), address);
        let misled = Misled::start(&world, place.path(), further);
        places.push(place);
        misled
    };
    for address in ["127.0.0.1", "10.0.0.1", "169.254.169.254"] {
        let misled = start(address, &[]);
        misled.complete(&world, &design, "inside").await;
        world.eventually(address, || async { misled.refused(&world).await > 0 }).await;
        assert!(misled.asked() > 0);
    }
    assert_eq!(crm.arrived(), 0, "nobody called");

    // The operator allows the host to be inside. Nobody allows it to be where clouds keep their keys.
    let misled = start("127.0.0.1", &[("HELIOGRAPH_DELIVER__0__ALLOW_PRIVATE", "crm.test")]);
    misled.complete(&world, &design, "allowed").await;
    world.eventually("taken", || async { crm.taken().contains(&"allowed".to_owned()) }).await;
    Misled::leads_to(&misled.names, "169.254.169.254");
    let before = misled.asked();
    assert_eq!(misled.refused(&world).await, 0);
    misled.complete(&world, &design, "rebound").await;
    world.eventually("refused", || async { misled.refused(&world).await > 0 }).await;
    assert!(misled.asked() > before);
    assert!(crm.said().iter().all(|it| it.job() != "rebound"));
}
