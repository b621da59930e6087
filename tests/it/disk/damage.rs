//! Files that were torn or damaged while the gateway was away.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    panic::AssertUnwindSafe,
    path::Path,
    time::Duration,
};

use futures_util::FutureExt;
use heliograph::{
    clock::Clock,
    domain::{
        Delivery, DesignId, DesignKey, Fingerprint, JobId, ProjectId, Seq, TenantId, Trace, event::Source,
        project::InputMark,
    },
    journal::{Appended, Filter, Journal, Outcome, SqliteJournal},
    sqlite::Db,
    store::{CreateKey, Origin, Request, Store},
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::world::Disk;

const FLIPS: usize = 200;
const SEED: u64 = 20_261_126;
const TENANTS: [&str; 3] = ["acme", "borealis", "cumulus"];

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_end_of_the_log_costs_nothing_that_was_acknowledged() {
    let mut disk = Disk::start().await;
    let mut kept = disk.deliver_some(10).await;
    for torn in [0.5, 0.9, 3.3] {
        disk.announces_exactly(&kept).await;
        disk.gateway.kill();
        // A commit that the power cut off: beginnings of frames like those before, and what the disk made up.
        let log = fs::read(disk.beside("-wal")).unwrap();
        let frame = 24 + 4096;
        let piece = (f64::from(frame) * torn) as usize;
        assert!(log.len() > 32 + piece, "{} bytes of log", log.len());
        let mut file = OpenOptions::new().append(true).open(disk.beside("-wal")).unwrap();
        file.write_all(&log[32..32 + piece]).unwrap();
        file.write_all(&[0xa5; 777]).unwrap();
        disk.start_again();
        disk.becomes_ready().await;
        kept.extend(disk.deliver_some(3).await);
    }
    disk.restart();
    disk.announces_exactly(&kept).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_store_stops_the_start_with_what_to_do_and_a_copy_brings_it_back() {
    let mut disk = Disk::start().await;
    let kept = disk.deliver_some(10).await;
    disk.announces_exactly(&kept).await;
    // A stop in good order folds the log into the file.
    disk.stop_and_start();
    disk.gateway.kill();
    // As an operator copies a store: all of its files while nobody has them open.
    let copies: Vec<_> = ["", "-wal"].map(|it| (disk.beside(it), fs::read(disk.beside(it)).unwrap())).into();
    fs::write(disk.beside("-wal"), "").unwrap();
    let mut bytes = fs::read(disk.store()).unwrap();
    assert!(bytes.len() > 4096, "the log was folded in");
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 64].fill(0xff);
    fs::write(disk.store(), bytes).unwrap();
    for _ in 0..2 {
        let said = disk.gateway.refuses();
        assert!(said.contains("is damaged") && said.contains("disk-trouble.md"), "{said}");
    }
    for (path, bytes) in copies {
        fs::write(path, bytes).unwrap();
    }
    let check = disk.gateway.command().args(["store", "check"]).output().unwrap();
    assert!(
        check.status.success() && String::from_utf8_lossy(&check.stdout).contains("is sound"),
        "{check:?}"
    );
    disk.start_again();
    let more = disk.deliver_some(1).await;
    disk.announces_exactly(&[kept, more].concat()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_read_of_a_damaged_store_goes_on_in_a_new_one() {
    let mut disk = Disk::start().await;
    let kept = disk.deliver_some(200).await;
    disk.announces_exactly(&kept).await;
    disk.stop_and_start();
    disk.gateway.kill();
    let mut bytes = fs::read(disk.store()).unwrap();
    let page =
        bytes.chunks(4096).position(|it| it[0] == 13 && it.windows(6).any(|it| it == b"\"j100\"")).unwrap();
    // One page of the deliveries, in the middle of them.
    bytes[page * 4096..page * 4096 + 16].fill(0xff);
    let broken = disk.place().join("broken.db");
    fs::write(&broken, bytes).unwrap();
    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(disk.beside(ending));
    }
    let salvage = |to: &Path| {
        let mut command = disk.gateway.command();
        command.args(["store", "salvage", "--from", "broken.db", "--to"]).arg(to).output().unwrap()
    };
    let done = salvage(&disk.store());
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains("deliveries  (not all of it could be read)"), "{done:?}");
    assert!(!salvage(&disk.store()).status.success(), "nothing is written over");

    disk.start_again();
    let announced = disk.announced().await;
    let lost = kept.iter().filter(|job| !announced.contains(job)).count();
    assert!((1..60).contains(&lost), "{lost} of 200 are lost");
    // What is left is in its order, what was acknowledged is still a repeat, and cursors are still good.
    let left: Vec<_> = kept.iter().filter(|job| announced.contains(job)).cloned().collect();
    assert_eq!(announced, left);
    assert_eq!(disk.deliver("j1").await, 200);
    let more = disk.deliver_some(1).await;
    disk.announces_exactly(&[left, more].concat()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hundred_flipped_bits_each_is_found_or_harmless() {
    let place = tempfile::tempdir().unwrap();
    let (sound, flipped) = (place.path().join("sound.db"), place.path().join("flipped.db"));
    fill(&sound).await;
    let bytes = fs::read(&sound).unwrap();
    fs::write(&flipped, &bytes).unwrap();
    let told = observe(&flipped).await.expect("what is sound is read");

    let mut dice = StdRng::seed_from_u64(SEED);
    let (mut found, mut silent) = (0, Vec::new());
    for _ in 0..FLIPS {
        let (at, bit) = (dice.random_range(0..bytes.len()), dice.random_range(0..8));
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << bit;
        for ending in ["-wal", "-shm"] {
            let _ = fs::remove_file(place.path().join(format!("flipped.db{ending}")));
        }
        fs::write(&flipped, damaged).unwrap();
        let seen = AssertUnwindSafe(observe(&flipped)).catch_unwind().await;
        match seen.unwrap_or_else(|_| panic!("byte {at}, bit {bit} makes it panic")) {
            Err(_) => found += 1,
            Ok(seen) if seen == told => {}
            Ok(seen) => {
                let differs = seen.iter().zip(&told).find(|(one, other)| one != other);
                silent.push(format!("byte {at}, bit {bit}: {differs:?}"));
            }
        }
    }
    assert!(silent.is_empty(), "seed {SEED}: {silent:#?}");
    assert!(found > FLIPS / 10, "{found} found: the damage does not reach what is read");
}

pub(super) fn delivery(tenant: Option<&str>, design: usize, job: usize) -> Delivery {
    let (design, job) = (format!("design-{design}"), format!("job-{job}"));
    let status = ["succeeded", "failed"][job.len() % 2];
    let mut parameters = vec![("design_id", &*design), ("job_id", &*job), ("status", status)];
    parameters.extend(tenant.map(|it| ("tenant_id", it)));
    Delivery {
        name: "performance_simulation_job_completed".to_owned(),
        tenant: tenant.map(|it| TenantId::parse(it).unwrap()),
        design: DesignId::parse(&design).ok(),
        project: None,
        job: JobId::parse(&job).ok(),
        status: Some(status.to_owned()),
        parameters: parameters.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        received_at: clock().now(),
        source: Source::Webhook,
    }
}

/// A creation under the key of that number.
fn request(tenant: &TenantId, number: usize) -> Request {
    let input = Fingerprint([tenant.as_str().len() as u8; 32]);
    Request {
        tenant: tenant.clone(),
        key: CreateKey::Idempotency(format!("key-{number}")).digest(tenant),
        input: InputMark { canonical: input, written: input },
        trace: Trace::from_bytes(&[1, 2, 3, 4, 5, 6, 7, 8, 9]).unwrap(),
    }
}

fn clock() -> Clock {
    Clock::manual("2026-01-01T00:00:00Z".parse().unwrap())
}

/// A store with something of everything in it, closed in good order.
async fn fill(path: &Path) {
    let db = Db::open(path).unwrap();
    let (journal, store) = (SqliteJournal::open(db.clone(), clock()).await.unwrap(), Store::new(db.clone()));
    store.cursor_key().await.unwrap();
    for name in TENANTS {
        let tenant = TenantId::parse(name).unwrap();
        for job in 0..120 {
            let seq = match journal.append(delivery(Some(name), job % 9, job)).await.unwrap() {
                Appended::New(seq) => seq,
                other => panic!("{other:?}"),
            };
            if job % 4 != 3 {
                let project = ProjectId::parse(&format!("project-{}", job % 3)).ok();
                let reread = Some(Fingerprint([job as u8; 32]));
                journal.announce(seq, Outcome { project, reread }).await.unwrap();
            }
        }
        for number in 0..20 {
            let project = ProjectId::parse(&format!("project-{number}")).unwrap();
            let request = request(&tenant, number);
            store.begin_create(&request, clock().now()).await.unwrap();
            store.finish_create(&tenant, request.key, &project).await.unwrap();
            let design = DesignId::parse(&format!("design-{number}")).unwrap();
            store.remember_designs(&tenant, vec![(design, project.clone())]).await.unwrap();
            let external = vec![(format!("crm-{number}"), project)];
            store.remember_external_ids(&tenant, external, Origin::Created).await.unwrap();
        }
    }
    for job in 0..20 {
        journal.append(delivery(None, 1, job)).await.unwrap();
    }
    db.close().await;
}

/// Everything that can be read of it, in words; or the first thing that said that it is damaged.
async fn observe(path: &Path) -> Result<Vec<String>, String> {
    let told = |error: &dyn std::error::Error| error.to_string();
    let db = Db::open(path).map_err(|it| told(&it))?;
    let store = Store::new(db.clone());
    let mut seen = vec![format!("{:?}", store.cursor_key().await.map_err(|it| told(&it))?)];
    let journal = SqliteJournal::open(db.clone(), clock()).await.map_err(|it| told(&it))?;
    for name in TENANTS {
        let tenant = TenantId::parse(name).unwrap();
        let mut filters = vec![Filter::default(), Filter { completions_only: true, ..Filter::default() }];
        for number in 0..9 {
            let design = DesignId::parse(&format!("design-{number}")).ok();
            filters.push(Filter { design, ..Filter::default() });
        }
        for filter in filters {
            let slice = journal.events(&tenant, &filter, None, 1_000).await.map_err(|it| told(&it))?;
            seen.extend(slice.events.iter().map(|event| format!("{event:?}")));
            seen.push(format!("{filter:?} {}", slice.events.len()));
        }
        let waiting = journal.waiting_of(&tenant, Seq(0), 1_000).await.map_err(|it| told(&it))?;
        seen.extend(waiting.iter().map(|it| format!("{it:?}")));
        for number in 0..20 {
            let begin = store.begin_create(&request(&tenant, number), clock().now()).await;
            seen.push(format!("{:?}", begin.map_err(|it| told(&it))?));
            let design = DesignId::parse(&format!("design-{number}")).unwrap();
            let key = DesignKey { tenant: tenant.clone(), design };
            seen.push(format!("{:?}", store.project_of_design(&key).await.map_err(|it| told(&it))?));
            let external = store.project_by_external_id(&tenant, &format!("crm-{number}")).await;
            seen.push(format!("{:?}", external.map_err(|it| told(&it))?));
        }
    }
    seen.push(format!("{:?}", journal.aside(100).await.map_err(|it| told(&it))?));
    if journal.unreadable() > 0 {
        return Err("deliveries cannot be read".to_owned());
    }
    for tenant in TENANTS.map(Some).into_iter().chain([None]) {
        for job in 0..if tenant.is_some() { 120 } else { 20 } {
            let design = if tenant.is_some() { job % 9 } else { 1 };
            let again = journal.append(delivery(tenant, design, job)).await.map_err(|it| told(&it))?;
            seen.push(format!("{:?}", again == Appended::Repeat));
        }
    }
    // Room that was given back is written again.
    journal.prune(clock().now(), Duration::ZERO).await.map_err(|it| told(&it))?;
    db.close().await;
    Ok(seen)
}
