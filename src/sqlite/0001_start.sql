-- Times are microseconds since 1970. Fingerprints and digests are SHA-256, 32 bytes.

-- What Aurora sent, in the order in which it came.
CREATE TABLE deliveries (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT    NOT NULL,
    tenant      TEXT,
    design      TEXT,
    project     TEXT,
    job         TEXT,
    status      TEXT,
    parameters  TEXT    NOT NULL,           -- JSON: [["name", "value"], …]
    received_at INTEGER NOT NULL,
    aside       INTEGER NOT NULL,           -- 1: nobody knows whose it is
    settled_at  INTEGER                     -- null: not yet announced
) STRICT;
CREATE INDEX deliveries_waiting ON deliveries (seq) WHERE settled_at IS NULL;
CREATE INDEX deliveries_settled ON deliveries (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX deliveries_aside ON deliveries (seq) WHERE aside = 1;

-- What was announced, in the order that cursors refer to. Tenant, design, name and status repeat the delivery's,
-- because they are searched for.
CREATE TABLE events (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    delivery INTEGER NOT NULL UNIQUE REFERENCES deliveries (seq),
    tenant   TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    status   TEXT,
    design   TEXT,
    project  TEXT
) STRICT;
CREATE INDEX events_tenant ON events (tenant, seq);
CREATE INDEX events_design ON events (tenant, design, seq) WHERE design IS NOT NULL;
CREATE INDEX events_completed ON events (tenant, seq)
    WHERE name = 'performance_simulation_job_completed' AND status = 'succeeded';

-- What a repeat is recognised by. It outlives its delivery where the retention is shorter than the window.
CREATE TABLE repeats (
    fingerprint BLOB    PRIMARY KEY,
    tenant      TEXT,
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX repeats_expiry ON repeats (expires_at);

-- The re-read summary that was last announced for a design.
CREATE TABLE completions (
    tenant      TEXT NOT NULL,
    design      TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    PRIMARY KEY (tenant, design)
) STRICT, WITHOUT ROWID;

-- How far each tenant's events are gone. The tenant is a digest, so that an erased one leaves no name behind.
CREATE TABLE pruned (
    tenant BLOB    PRIMARY KEY,
    seq    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Secrets that are made once.
CREATE TABLE secrets (
    name  TEXT PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Creations of projects, by a digest of the caller's key. Kept for ever.
CREATE TABLE creates (
    tenant  TEXT    NOT NULL,
    key     BLOB    NOT NULL,
    input   BLOB    NOT NULL,
    state   INTEGER NOT NULL,               -- 0 started, 1 finished, 2 outcome unknown
    since   INTEGER NOT NULL,
    project TEXT,
    PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;

-- Which project a caller's own id belongs to, by a digest of that id.
CREATE TABLE external_ids (
    tenant   TEXT    NOT NULL,
    external BLOB    NOT NULL,
    project  TEXT    NOT NULL,
    origin   INTEGER NOT NULL,              -- 0 seen at Aurora, 1 created here
    PRIMARY KEY (tenant, external)
) STRICT, WITHOUT ROWID;

-- Written and emptied again to see whether a full disk has room.
CREATE TABLE probe (bytes BLOB NOT NULL) STRICT;
