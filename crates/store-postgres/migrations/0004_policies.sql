-- Policy sets that were in force, each once. Decisions name them by their digest.

CREATE TABLE policy_set (
    digest BYTEA PRIMARY KEY,
    policies TEXT NOT NULL,
    schema_text TEXT NOT NULL,
    since_us BIGINT NOT NULL
);
