-- The Merkle tree over the log: its newest checkpoint, its tiles, and what witnesses signed.

CREATE TABLE tree_head (
    id SMALLINT PRIMARY KEY,
    size BIGINT NOT NULL,
    signed_at_us BIGINT NOT NULL,
    note TEXT NOT NULL
);

-- No checkpoint yet.
INSERT INTO tree_head (id, size, signed_at_us, note) VALUES (0, 0, 0, '');

CREATE TABLE tile (
    level SMALLINT NOT NULL,
    place BIGINT NOT NULL,
    hashes BYTEA NOT NULL,
    PRIMARY KEY (level, place)
);

CREATE TABLE cosignature (
    size BIGINT NOT NULL,
    witness TEXT NOT NULL,
    note TEXT NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (size, witness)
);
