-- What lasts, except the audit log. Texts are ids, bytes are ciphertext or wrapped keys, integers that end in _us are
-- microseconds since 1970-01-01T00:00:00Z. Only what PostgreSQL-compatible databases know as well.

CREATE TABLE subject (
    tenant TEXT NOT NULL,
    subject TEXT NOT NULL,
    wrapped_key BYTEA NOT NULL,
    created_at_us BIGINT NOT NULL,
    PRIMARY KEY (tenant, subject)
);

CREATE TABLE credential (
    tenant TEXT NOT NULL,
    id BYTEA NOT NULL,
    subject TEXT NOT NULL,
    credential BYTEA NOT NULL,
    name TEXT NOT NULL,
    created_at_us BIGINT NOT NULL,
    last_used_at_us BIGINT,
    version BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE INDEX credential_by_subject ON credential (tenant, subject, created_at_us);

CREATE TABLE document (
    tenant TEXT NOT NULL,
    subject TEXT NOT NULL,
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    written_at_us BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (tenant, subject, name, version)
);

CREATE TABLE sample (
    tenant TEXT NOT NULL,
    subject TEXT NOT NULL,
    name TEXT NOT NULL,
    decision BYTEA NOT NULL,
    at_us BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (tenant, subject, name, decision)
);

CREATE INDEX sample_by_time ON sample (tenant, subject, name, at_us, decision);
