-- The append-only log. A record's index in the log is its id less one: SQLite gives the greatest id plus one to each
-- row of an insert, within one transaction, so that indices have no gaps and are never given twice. Pruning removes rows
-- from the front and keeps the last one, so that this holds still.

CREATE TABLE record (
    id INTEGER PRIMARY KEY,
    commitment BLOB NOT NULL,
    kind TEXT NOT NULL,
    tenant TEXT NOT NULL,
    subject TEXT,
    decision BLOB,
    at_us INTEGER NOT NULL,
    sealed BLOB NOT NULL
) STRICT;

-- Decision first: decision ids sort by time, so that every append touches the last page alone. Tenant and subject follow
-- so that the records of one subject are found by reading this index through, which is a twentieth of the table; an
-- index that begins with the subject would cost every append a page of its own.
CREATE INDEX record_by_decision ON record (decision, tenant, subject);

-- Records that are no decisions are few. This finds them among millions, and costs the append of a decision nothing.
CREATE INDEX record_of_event ON record (tenant, kind) WHERE kind <> 'decision';
