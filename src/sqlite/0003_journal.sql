-- The place of the event that a delivery announces again because an operator asked for it.
ALTER TABLE deliveries ADD COLUMN replay_of INTEGER;

-- What a row says, summed up when it is written: a bit that flips on the disk is told from what was kept. Rows from
-- before this have none.
ALTER TABLE deliveries ADD COLUMN sum INTEGER;
ALTER TABLE events ADD COLUMN sum INTEGER;

-- The small tables stand in the file twice, once in the table and once in an index of all that is beside its key. The check
-- of the file compares the two.
CREATE INDEX completions_twice ON completions (fingerprint, at);
CREATE INDEX pruned_twice ON pruned (seq);
CREATE INDEX secrets_twice ON secrets (bytes);
CREATE INDEX creates_twice ON creates (project, input, state, since);
CREATE INDEX external_ids_twice ON external_ids (project, origin);
CREATE INDEX designs_twice ON designs (project);

-- What is being announced again, so that asking twice announces it once.
CREATE INDEX deliveries_replays ON deliveries (replay_of) WHERE replay_of IS NOT NULL;
