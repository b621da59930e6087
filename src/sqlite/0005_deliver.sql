-- How far each target of deliveries has come. Times are microseconds since 1970. A target is known by the name that the
-- configuration gives it, and what is kept outlives its being taken out for a while.
CREATE TABLE targets (
    name           TEXT    PRIMARY KEY,
    scanned        INTEGER NOT NULL,        -- every event up to here is settled, or waits in a lane
    disabled_at    INTEGER,
    disabled       TEXT,
    failing_since  INTEGER,
    failures       INTEGER NOT NULL,
    last_success   INTEGER,
    last_failure   INTEGER,
    last_failure_code TEXT,
    hold_until     INTEGER,
    gap_at         INTEGER,
    given_up       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What waits of a design, of a project, or of a tenant: a stretch of the events, never a copy of them.
CREATE TABLE target_lanes (
    target        TEXT    NOT NULL,
    tenant        TEXT    NOT NULL,
    kind          INTEGER NOT NULL,         -- 0 of a tenant, 1 of a project, 2 of a design
    id            TEXT    NOT NULL,         -- empty for a tenant's
    after         INTEGER NOT NULL,
    through       INTEGER NOT NULL,
    events        INTEGER NOT NULL,
    oldest        INTEGER NOT NULL,
    failures      INTEGER NOT NULL,
    failing_since INTEGER,
    next_at       INTEGER,
    PRIMARY KEY (target, tenant, kind, id)
) STRICT, WITHOUT ROWID;

-- What is to be sent once more, because an operator asked for it.
CREATE TABLE target_replays (
    target  TEXT    NOT NULL,
    tenant  TEXT    NOT NULL,
    after   INTEGER NOT NULL,
    through INTEGER NOT NULL,
    PRIMARY KEY (target, tenant)
) STRICT, WITHOUT ROWID;
