-- Times are integer milliseconds since 1970 (UTC). Ids that people see are text; `pk` never leaves the store.

CREATE TABLE subject (                       -- a video, or a channel itself
    pk INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,                      -- video, channel
    title TEXT,
    channel_id TEXT,
    channel_title TEXT,
    published_at INTEGER,
    live TEXT,                               -- YouTube's liveBroadcastContent
    newest_at INTEGER,                       -- the newest accepted reading
    state TEXT NOT NULL DEFAULT '{}',        -- settled state of each metric and presence (store/subjects.py)
    near INTEGER NOT NULL DEFAULT 0,         -- a rule's next number is within 10 %
    watched INTEGER NOT NULL DEFAULT 1,
    read_at INTEGER,                         -- last answered statistics call
    wanted_at INTEGER,                       -- a reading is wanted from then on
    metadata_at INTEGER,
    metadata_wanted_at INTEGER
);
CREATE INDEX subject_watched ON subject(watched) WHERE watched = 1;

CREATE TABLE reading (                       -- settled values; an unchanged reading extends the row
    subject_pk INTEGER NOT NULL,
    from_at INTEGER NOT NULL,
    to_at INTEGER NOT NULL,
    views INTEGER, likes INTEGER, favorites INTEGER, comments INTEGER,
    subscribers INTEGER, videos INTEGER, total_views INTEGER,
    raw TEXT,                                -- what YouTube said where it is not the settled value: {"likes": "hidden"}
    PRIMARY KEY (subject_pk, from_at)
) WITHOUT ROWID;

CREATE TABLE target (                        -- what a person named
    pk INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,                 -- video, playlist or channel id
    kind TEXT NOT NULL,
    title TEXT,
    list_id TEXT,                            -- the playlist that holds its videos; NULL for a video
    newest_first INTEGER NOT NULL DEFAULT 0, -- an uploads list: reading stops at the first known id
    added_at INTEGER NOT NULL,
    listed_at INTEGER,
    completed_at INTEGER,                    -- last complete listing
    wanted_at INTEGER,
    fault TEXT                               -- e.g. playlistNotFound; NULL while it can be read
);

CREATE TABLE member (                        -- which subjects a target holds
    target_pk INTEGER NOT NULL REFERENCES target(pk) ON DELETE CASCADE,
    subject_pk INTEGER NOT NULL REFERENCES subject(pk),
    added_at INTEGER,                        -- when it was added to the list on YouTube
    joined_at INTEGER NOT NULL,              -- when we first saw it there
    missing_at INTEGER,                      -- first complete listing without it
    left_at INTEGER,                         -- confirmed by a second one; the row stays: it is new only once
    PRIMARY KEY (target_pk, subject_pk)
) WITHOUT ROWID;
CREATE INDEX member_subject ON member(subject_pk);

CREATE TABLE recipient (
    pk INTEGER PRIMARY KEY,
    address TEXT NOT NULL UNIQUE,            -- console, telegram:CHAT, telegram:CHAT:TOPIC
    state TEXT NOT NULL DEFAULT 'active',    -- active, paused (needs an admin's hand), lost
    reason TEXT,
    language TEXT NOT NULL DEFAULT 'en',
    timezone TEXT NOT NULL DEFAULT 'UTC',
    quiet TEXT,                              -- local hours, 23:00-07:30
    muted_until INTEGER,
    not_before INTEGER                       -- the pause its service asked for
);

CREATE TABLE watch (
    pk INTEGER PRIMARY KEY,
    target_pk INTEGER NOT NULL REFERENCES target(pk),
    recipient_pk INTEGER NOT NULL REFERENCES recipient(pk),
    added_at INTEGER NOT NULL,
    UNIQUE (target_pk, recipient_pk)
);

CREATE TABLE rule (
    pk INTEGER PRIMARY KEY AUTOINCREMENT,    -- never used again
    id TEXT UNIQUE,                          -- 'r' and the pk; in a replay made from the line
    watch_pk INTEGER NOT NULL,
    recipient_pk INTEGER NOT NULL,
    target_pk INTEGER NOT NULL,
    line TEXT NOT NULL,                      -- as typed
    made_at INTEGER NOT NULL,
    until_at INTEGER                         -- its removal; it stays, ended
);
CREATE INDEX rule_target ON rule(target_pk) WHERE until_at IS NULL;

CREATE TABLE rule_state (                    -- where one rule stands on one subject
    subject_pk INTEGER NOT NULL,
    rule_pk INTEGER NOT NULL,
    since_at INTEGER NOT NULL,
    anchor INTEGER,
    PRIMARY KEY (subject_pk, rule_pk)
) WITHOUT ROWID;

CREATE TABLE alert (
    pk INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,                 -- rule_id:subject_id:observed_at, notice:… for the operator's notices
    recipient_pk INTEGER NOT NULL,
    target_pk INTEGER,
    rule_id TEXT,
    subject_id TEXT,
    kind TEXT NOT NULL,                      -- a rule's kind, or notice
    metric TEXT,
    previous INTEGER,
    current INTEGER,
    previous_at INTEGER,
    observed_at INTEGER NOT NULL,
    mark INTEGER,                            -- the highest number passed
    facts TEXT,                              -- JSON list of texts
    silent INTEGER NOT NULL DEFAULT 0,
    made_at INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting',   -- waiting, held, suppressed, message
    reason TEXT,                             -- why held or suppressed
    hold_until INTEGER,
    message_pk INTEGER
);
CREATE INDEX alert_open ON alert(recipient_pk, state) WHERE state IN ('waiting', 'held');
CREATE INDEX alert_message ON alert(message_pk) WHERE message_pk IS NOT NULL;
CREATE INDEX alert_rule ON alert(rule_id, subject_id);
CREATE INDEX alert_mark ON alert(subject_id, metric) WHERE mark IS NOT NULL;

CREATE TABLE message (
    pk INTEGER PRIMARY KEY,
    recipient_pk INTEGER NOT NULL,
    text TEXT,                               -- rendered once, when its slot opened
    plain TEXT,                              -- the same without markup
    as_plain INTEGER NOT NULL DEFAULT 0,     -- its markup was refused: sent as plain text
    silent INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'pending',   -- pending, sending, sent, dead, dropped
    attempts INTEGER NOT NULL DEFAULT 0,
    unknowns INTEGER NOT NULL DEFAULT 0,     -- attempts whose outcome is not known: the next one is marked
    made_at INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    claimed_at INTEGER,                      -- last attempt: what the rate limits count
    sent_at INTEGER,
    remote_id TEXT,
    last_error TEXT
);
CREATE INDEX message_open ON message(recipient_pk, state) WHERE state IN ('pending', 'sending');
CREATE INDEX message_claimed ON message(claimed_at);

CREATE TABLE ledger (                        -- the quota of one bucket on one Pacific day
    day TEXT NOT NULL,
    bucket TEXT NOT NULL,
    share TEXT NOT NULL,                     -- who spent it: statistics, metadata, membership, commands
    used INTEGER NOT NULL,
    PRIMARY KEY (day, bucket, share)
) WITHOUT ROWID;

CREATE TABLE closed_bucket (                 -- YouTube said that it is spent: closed until its day ends
    day TEXT NOT NULL,
    bucket TEXT NOT NULL,
    closed_at INTEGER NOT NULL,
    probe_at INTEGER NOT NULL,               -- when to ask again, with one call
    PRIMARY KEY (day, bucket)
) WITHOUT ROWID;

CREATE TABLE request (                       -- what a command wants from the process that holds the lease
    pk INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    result TEXT,
    done_at INTEGER
);

CREATE TABLE fact (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
