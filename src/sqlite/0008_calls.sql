-- How many calls of Aurora's were made with which key in the last minutes, so that a restart does not begin with a full
-- allowance. The key is there as a digest; `at` is in seconds, and from then on no call of the row counts.
CREATE TABLE calls_made (
    key   BLOB    NOT NULL,
    at    INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    PRIMARY KEY (key, at)
) STRICT, WITHOUT ROWID;
