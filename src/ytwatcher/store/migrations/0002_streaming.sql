-- What the streaming way publishes. Nothing is written here as long as no broker is configured.

CREATE TABLE publication (                   -- one record for the topic of readings, in the order they are sent
    seq INTEGER PRIMARY KEY AUTOINCREMENT,   -- never used again
    subject_pk INTEGER NOT NULL,
    observed_at INTEGER NOT NULL,
    record TEXT NOT NULL,                    -- JSON: the record's fields (core/records.py)
    acked_at INTEGER                         -- when the brokers had it; kept for a while to be sent again after a lost topic
);
CREATE INDEX publication_unacked ON publication(seq) WHERE acked_at IS NULL;

CREATE TABLE description (                   -- the newest one; apart, since it is long and every reading rewrites its subject's row
    subject_pk INTEGER PRIMARY KEY,
    text TEXT NOT NULL
);
