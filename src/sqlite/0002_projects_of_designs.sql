-- Which project a design belongs to, as Aurora once said. A design never moves.
CREATE TABLE designs (
    tenant  TEXT NOT NULL,
    design  TEXT NOT NULL,
    project TEXT NOT NULL,
    PRIMARY KEY (tenant, design)
) STRICT, WITHOUT ROWID;

-- Since when a design's last completion stands, so that it is not kept for ever.
ALTER TABLE completions ADD COLUMN at INTEGER NOT NULL DEFAULT 0;
UPDATE completions SET at = unixepoch() * 1000000;
CREATE INDEX completions_age ON completions (at);

-- A tenant's deliveries that wait, for loading one tenant's without walking over everybody's.
CREATE INDEX deliveries_waiting_of ON deliveries (tenant, seq) WHERE settled_at IS NULL;
