-- Policy sets that were in force, each once. Decisions name them by their digest.

CREATE TABLE policy (
    digest BLOB PRIMARY KEY,
    text TEXT NOT NULL,
    schema TEXT NOT NULL,
    since_us INTEGER NOT NULL
) STRICT;
