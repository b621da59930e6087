-- Keys that Aurora gave for tenants, each sealed under the operator's encryption key: nothing else opens them. The
-- realm says for which Aurora and which application a key is good.
CREATE TABLE sealed_keys (
    tenant     TEXT    NOT NULL,
    realm      BLOB    NOT NULL,
    sealed     BLOB    NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, realm)
) STRICT, WITHOUT ROWID;
CREATE INDEX sealed_keys_expiry ON sealed_keys (expires_at);
