CREATE TABLE access (                        -- the chats that are served; the operator's needs no row
    chat TEXT PRIMARY KEY,                   -- telegram:CHAT
    role TEXT NOT NULL,                      -- owner, manager, user; none: shut out
    kind TEXT NOT NULL,                      -- private, group, channel
    title TEXT NOT NULL,
    by_chat TEXT,                            -- who let it in: a private chat
    since INTEGER NOT NULL,
    targets INTEGER NOT NULL,                -- how many it may watch
    rules INTEGER NOT NULL,
    messages INTEGER NOT NULL                -- with alerts, in 24 hours
) WITHOUT ROWID;
CREATE INDEX access_by ON access(by_chat);

CREATE TABLE invitation (                    -- links that let somebody in, each once
    hash TEXT PRIMARY KEY,                   -- SHA-256 of the code: the code itself is nowhere
    role TEXT NOT NULL,
    by_chat TEXT,
    expires_at INTEGER NOT NULL,
    used_by TEXT
) WITHOUT ROWID;

CREATE TABLE stranger (                      -- who wrote without having access, for a day
    chat TEXT PRIMARY KEY,
    since INTEGER NOT NULL,
    greeted INTEGER NOT NULL DEFAULT 0,
    guesses INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE chosen (                        -- the group or channel that somebody's commands are about, for an hour
    chat TEXT PRIMARY KEY,                   -- a private chat
    address TEXT NOT NULL,
    until_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE question (                      -- what the bot asked and waits to be answered in a message
    address TEXT NOT NULL,                   -- where
    user_id INTEGER NOT NULL,                -- whom
    topic TEXT NOT NULL,
    facts TEXT NOT NULL,                     -- JSON
    until_at INTEGER NOT NULL,
    PRIMARY KEY (address, user_id)
) WITHOUT ROWID;

CREATE TABLE change_log (                    -- who changed what, for a year
    pk INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    address TEXT NOT NULL,                   -- whose watches, rules or preferences
    user_id INTEGER,
    user_name TEXT NOT NULL,
    what TEXT NOT NULL
);
CREATE INDEX change_log_at ON change_log(at);

ALTER TABLE recipient ADD COLUMN digest TEXT; -- when alerts come together: daily 09:00, weekly mon 09:00
CREATE INDEX message_recipient ON message(recipient_pk, made_at);
