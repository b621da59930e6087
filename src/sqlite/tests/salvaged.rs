//! Files that older versions left, salvaged.

use super::*;

/// What the oldest version could write.
const ROWS: &str = "
    INSERT INTO deliveries (name, tenant, design, job, status, parameters, received_at, aside, settled_at)
        VALUES ('performance_simulation_job_completed', 't', 'd', 'j', 'succeeded', '[]', 1, 0, 2);
    INSERT INTO events (delivery, tenant, name, status, design)
        VALUES (1, 't', 'performance_simulation_job_completed', 'succeeded', 'd');
    INSERT INTO completions (tenant, design, fingerprint) VALUES ('t', 'd', x'00');
    INSERT INTO creates (tenant, key, input, state, since, project) VALUES ('t', x'00', x'01', 1, 3, 'p');
    INSERT INTO external_ids (tenant, external, project, origin) VALUES ('t', x'02', 'p', 1);
    INSERT INTO secrets (name, bytes) VALUES ('cursors', x'03');";

/// The last sum that does not cover what the row tells again.
const REPLAYED: &str = "
    INSERT INTO deliveries (name, tenant, parameters, received_at, aside, replay_of, sum)
        VALUES ('asset_created', 't', '[]', 1, 0, 1, 5);";

fn left_by(version: usize, path: &Path) {
    let old = Connection::open(path).unwrap();
    open::MIGRATIONS[..version].iter().for_each(|migration| old.execute_batch(migration).unwrap());
    old.execute_batch(ROWS).unwrap();
    if version >= 7 {
        old.execute_batch(REPLAYED).unwrap();
    }
    old.pragma_update(None, "user_version", version as i64).unwrap();
}

#[test]
fn what_is_salvaged_of_a_file_of_any_older_version_is_what_its_upgrade_would_have_kept() {
    let directory = TempDir::new().unwrap();
    for version in 1..=open::MIGRATIONS.len() {
        let (from, to) = (directory.path().join(format!("{version}.db")), directory.path().join("to.db"));
        left_by(version, &from);
        let salvaged = salvage(&from, &to).unwrap();
        assert!(salvaged.iter().all(|it| it.whole), "{version}: {salvaged:?}");
        drop(Db::open(&to).unwrap());
        let new = Connection::open(&to).unwrap();
        let ask = |what: &str| new.query_row(what, [], |row| row.get::<_, i64>(0)).unwrap();
        for (held, what) in [
            ("SELECT count(*) FROM events e JOIN deliveries d ON d.seq = e.delivery", "events"),
            ("SELECT count(*) FROM creates WHERE key = x'00' AND state = 1 AND project = 'p'", "creates"),
            ("SELECT count(*) FROM external_ids", "ids of callers"),
            ("SELECT count(*) FROM secrets", "the key of cursors"),
        ] {
            assert_eq!(ask(held), 1, "{version}: {what}");
        }
        // What the versions between have made of it.
        if version < 4 {
            assert_eq!(ask("SELECT summary_read FROM events"), 1, "{version}");
            assert_eq!(ask("SELECT count(*) FROM projects WHERE project = 'p'"), 1, "{version}");
        }
        if version < 2 {
            assert!(ask("SELECT at FROM completions") > 0, "or it is forgotten at once");
        }
        if version >= 7 {
            let without = ask("SELECT sum IS NULL FROM deliveries WHERE replay_of = 1");
            assert_eq!(without == 1, version < 9, "{version}: a sum that nothing fits any more");
        }
        std::fs::remove_file(&to).unwrap();
    }
}

#[test]
fn a_flipped_bit_in_the_number_of_a_files_version_costs_no_table() {
    let directory = TempDir::new().unwrap();
    let newest = open::MIGRATIONS.len();
    for said in [0, 2, 8, newest + 1] {
        let (from, to) = (directory.path().join(format!("{said}.db")), directory.path().join("to.db"));
        left_by(newest, &from);
        let old = Connection::open(&from).unwrap();
        old.execute_batch("INSERT INTO switched_off (tenant, since) VALUES ('t', 1)").unwrap();
        old.pragma_update(None, "user_version", said as i64).unwrap();
        drop(old);
        let salvaged = salvage(&from, &to).unwrap();
        let rows = salvaged.iter().find(|it| it.table == "switched_off").map(|it| it.rows);
        assert_eq!(rows, Some(1), "{said}: {salvaged:?}");
        drop(Db::open(&to).unwrap());
        std::fs::remove_file(&to).unwrap();
    }
}

#[test]
fn nothing_is_salvaged_into_a_folder_that_is_not_there() {
    let directory = TempDir::new().unwrap();
    let from = directory.path().join("from.db");
    left_by(1, &from);
    let told = salvage(&from, &directory.path().join("missing/to.db"));
    assert!(matches!(told, Err(OpenError::NoDirectory(_))), "{told:?}");
}
