-- The append-only log. Its one row of log_head says how many records were given an index; whoever appends raises it in the
-- same statement, and so holds the row until its records are durable: indices have no gaps and are never given twice.

CREATE TABLE log_head (
    id SMALLINT PRIMARY KEY,
    size BIGINT NOT NULL
);

INSERT INTO log_head (id, size) VALUES (0, 0);

CREATE TABLE record (
    log_index BIGINT PRIMARY KEY,
    commitment BYTEA NOT NULL,
    kind TEXT NOT NULL,
    tenant TEXT NOT NULL,
    subject TEXT,
    decision BYTEA,
    at_us BIGINT NOT NULL,
    sealed BYTEA NOT NULL
);

-- Decision ids sort by time, so that appends touch the last pages alone.
CREATE INDEX record_by_decision ON record (decision, tenant);

-- For erasure, and for what is asked about one subject. The records of the erased are not in it.
CREATE INDEX record_by_subject ON record (tenant, subject, log_index) WHERE subject IS NOT NULL;

-- Records that are no decisions are few. This finds them among millions, and costs the append of a decision nothing.
CREATE INDEX record_of_event ON record (tenant, kind, log_index) WHERE kind <> 'decision';
