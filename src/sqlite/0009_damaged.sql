-- When an operator asked for an event to be announced again: from then on its delivery waits.
ALTER TABLE deliveries ADD COLUMN replay_at INTEGER;

-- A row's sum covers from here on what it announces again, and since when. What was written before has none.
UPDATE deliveries SET sum = NULL WHERE replay_of IS NOT NULL;

-- Deliveries that a disk has changed and nobody waits for any more: their `aside` is 2.
CREATE INDEX deliveries_damaged ON deliveries (seq) WHERE aside = 2;
