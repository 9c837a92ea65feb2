-- The Merkle tree over the audit log. It lies in a file of its own: an append of a record waits for none of these writes.

-- The newest checkpoint, in the one row that there is.
CREATE TABLE head (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    size INTEGER NOT NULL,
    signed_at_us INTEGER NOT NULL,
    note TEXT NOT NULL
) STRICT;

-- Up to 256 hashes of 32 bytes; at level 0 the records' commitments.
CREATE TABLE tile (
    level INTEGER NOT NULL,
    place INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    PRIMARY KEY (level, place)
) STRICT;

CREATE TABLE cosignature (
    size INTEGER NOT NULL,
    witness TEXT NOT NULL,
    note TEXT NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (size, witness)
) STRICT, WITHOUT ROWID;
