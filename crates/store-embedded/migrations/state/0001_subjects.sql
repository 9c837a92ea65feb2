-- Everything that lasts, except the audit log. Texts are ids, blobs are ciphertext or wrapped keys,
-- integers that end in _us are microseconds since 1970-01-01T00:00:00Z.

CREATE TABLE subject (
    tenant TEXT NOT NULL,
    subject TEXT NOT NULL,
    wrapped_key BLOB NOT NULL,
    created_at_us INTEGER NOT NULL,
    PRIMARY KEY (tenant, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE credential (
    tenant TEXT NOT NULL,
    id BLOB NOT NULL,
    subject TEXT NOT NULL,
    credential BLOB NOT NULL,
    name TEXT NOT NULL,
    created_at_us INTEGER NOT NULL,
    last_used_at_us INTEGER,
    version INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT;

CREATE INDEX credential_by_subject ON credential (tenant, subject, created_at_us);

CREATE TABLE document (
    tenant TEXT NOT NULL,
    subject TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    written_at_us INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (tenant, subject, name, version)
) STRICT;

CREATE TABLE sample (
    tenant TEXT NOT NULL,
    subject TEXT NOT NULL,
    name TEXT NOT NULL,
    decision BLOB NOT NULL,
    at_us INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (tenant, subject, name, decision)
) STRICT;

CREATE INDEX sample_by_time ON sample (tenant, subject, name, at_us, decision);
