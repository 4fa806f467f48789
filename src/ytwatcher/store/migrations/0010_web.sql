CREATE TABLE token (                         -- what programs show to the API
    name TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,               -- SHA-256: the token itself is nowhere
    scope TEXT NOT NULL,                     -- read, write, admin
    made_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE share (                         -- links that show something without login
    pk INTEGER PRIMARY KEY AUTOINCREMENT,    -- never used again
    hash TEXT NOT NULL UNIQUE,               -- SHA-256 of the secret in the link
    kind TEXT NOT NULL,                      -- watch, feed
    target_id TEXT,                          -- of a watch
    address TEXT,                            -- whose watch or alerts; NULL: everybody's alerts
    made_at INTEGER NOT NULL
);

CREATE TABLE event (                         -- what happened while the site was on, for who listens to it; the oldest go
    seq INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,                      -- reading, alert, message, started
    ref INTEGER NOT NULL,                    -- the pk of what it is about
    detail                                   -- of a reading its time, of the others the state they came to
);
