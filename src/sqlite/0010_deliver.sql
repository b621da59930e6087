-- What waits in a lane behind its first stretch: the others as pairs of places, "after-through after-through". What is
-- sent once more need not be next to what waits already.
ALTER TABLE target_lanes ADD COLUMN further TEXT;

-- Of one tenant, several stretches can wait to be sent once more. They end at different places.
CREATE TABLE target_replays_by_end (
    target  TEXT    NOT NULL,
    tenant  TEXT    NOT NULL,
    after   INTEGER NOT NULL,
    through INTEGER NOT NULL,
    PRIMARY KEY (target, tenant, through)
) STRICT, WITHOUT ROWID;
INSERT INTO target_replays_by_end SELECT target, tenant, after, through FROM target_replays;
DROP TABLE target_replays;
ALTER TABLE target_replays_by_end RENAME TO target_replays;
