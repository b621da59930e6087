-- What Aurora would repeat of a project whose creation nobody knows the outcome of: salted digests, part by part.
-- Null where version 0.1 began it.
ALTER TABLE creates ADD COLUMN trace BLOB;

-- Since when its outcome is open; where version 0.1 left it so, since its start.
ALTER TABLE creates ADD COLUMN lost_at INTEGER;

-- How often all of Aurora's list that could hold it was looked through without finding it.
ALTER TABLE creates ADD COLUMN looks INTEGER NOT NULL DEFAULT 0;

-- Those whose outcome is open, for looking for them; and those that are settled, for telling whose a project is.
CREATE INDEX creates_open ON creates (tenant, since) WHERE state <> 1;
CREATE INDEX creates_settled ON creates (tenant, project) WHERE project IS NOT NULL;
