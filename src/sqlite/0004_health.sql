-- How the gateway came to know: 0 by Aurora's webhook, 1 by looking, since the webhook never came.
ALTER TABLE deliveries ADD COLUMN source INTEGER NOT NULL DEFAULT 0;

-- Whether the design's summary was read before the announcement. Of older events nobody noted it; nearly all were.
ALTER TABLE events ADD COLUMN summary_read INTEGER NOT NULL DEFAULT 0;
UPDATE events SET summary_read = 1
    WHERE name = 'performance_simulation_job_completed' AND status = 'succeeded';

-- Whether the reconciler found what was announced last, so that the delivery it stood in for is told from news.
ALTER TABLE completions ADD COLUMN reconciled INTEGER NOT NULL DEFAULT 0;

-- What came and what was announced, by tenant and event. It outlives the deliveries themselves.
CREATE TABLE tallies (
    tenant       TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    first_at     INTEGER NOT NULL,
    received_at  INTEGER NOT NULL,          -- the last one of Aurora's
    received     INTEGER NOT NULL DEFAULT 0,
    announced_at INTEGER,
    announced    INTEGER NOT NULL DEFAULT 0,
    reconciled   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;
INSERT INTO tallies (tenant, name, first_at, received_at, received)
    SELECT tenant, name, min(received_at), max(received_at), count(*)
    FROM deliveries WHERE tenant IS NOT NULL GROUP BY tenant, name;

-- Whose project it is, as Aurora itself has shown. A project never moves.
CREATE TABLE projects (
    project TEXT NOT NULL,
    tenant  TEXT NOT NULL,
    PRIMARY KEY (project, tenant)
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO projects (project, tenant)
    SELECT project, tenant FROM designs
    UNION SELECT project, tenant FROM external_ids
    UNION SELECT project, tenant FROM creates WHERE project IS NOT NULL;
CREATE INDEX projects_of ON projects (tenant);

-- Whose design it is, for deliveries that do not say.
CREATE INDEX designs_by_design ON designs (design, tenant);

-- What the reconciler last saw of designs of which nothing was ever announced.
CREATE TABLE looks (
    tenant      TEXT    NOT NULL,
    design      TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (tenant, design)
) STRICT, WITHOUT ROWID;
CREATE INDEX looks_age ON looks (at);

-- Since when a tenant is watched: what it completed before is nobody's news. And the reconciler's last full pass.
CREATE TABLE watched (
    tenant    TEXT    PRIMARY KEY,
    since     INTEGER NOT NULL,
    passed_at INTEGER
) STRICT, WITHOUT ROWID;

-- Tenants that have switched the application off, and since when.
CREATE TABLE switched_off (
    tenant TEXT    PRIMARY KEY,
    since  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What waits and needs no call to Aurora, for when those that do are stuck.
CREATE INDEX deliveries_waiting_plain ON deliveries (tenant, seq)
    WHERE settled_at IS NULL
      AND (name <> 'performance_simulation_job_completed' OR status IS NULL OR status <> 'succeeded');

-- Which projects something was announced of lately, and what waits of a design.
CREATE INDEX events_project ON events (tenant, project, seq) WHERE project IS NOT NULL;
CREATE INDEX deliveries_waiting_design ON deliveries (tenant, design, seq)
    WHERE settled_at IS NULL AND design IS NOT NULL;
