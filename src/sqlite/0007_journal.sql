-- The place of the event that a delivery announces again because an operator asked for it.
ALTER TABLE deliveries ADD COLUMN replay_of INTEGER;

-- What a row says, summed up when it is written: a bit that flips on the disk is told from what was kept. Rows from
-- before this have none.
ALTER TABLE deliveries ADD COLUMN sum INTEGER;
ALTER TABLE events ADD COLUMN sum INTEGER;

-- The small tables that decide something stand in the file twice, once in the table and once in an index of all that is
-- beside its key. The check of the file compares the two. Counts and how far targets have come change too often for that;
-- keys are sealed.
CREATE INDEX completions_twice ON completions (fingerprint, at, reconciled);
CREATE INDEX pruned_twice ON pruned (seq);
CREATE INDEX secrets_twice ON secrets (bytes);
CREATE INDEX creates_twice ON creates (project, input, state, since);
CREATE INDEX external_ids_twice ON external_ids (project, origin);
CREATE INDEX designs_twice ON designs (project);
CREATE INDEX looks_twice ON looks (fingerprint, at);
CREATE INDEX watched_twice ON watched (since, passed_at);
CREATE INDEX switched_off_twice ON switched_off (since);

-- What is being announced again, so that asking twice announces it once.
CREATE INDEX deliveries_replays ON deliveries (replay_of) WHERE replay_of IS NOT NULL;

-- What waits of a project in lanes that are not its own: what names the project behind it must not overtake it.
CREATE INDEX deliveries_waiting_project ON deliveries (tenant, project, seq)
    WHERE settled_at IS NULL AND project IS NOT NULL
      AND (design IS NOT NULL OR name = 'performance_simulation_job_completed');
