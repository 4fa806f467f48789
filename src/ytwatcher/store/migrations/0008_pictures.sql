ALTER TABLE recipient ADD COLUMN dark INTEGER NOT NULL DEFAULT 0;     -- its charts have a dark background
ALTER TABLE recipient ADD COLUMN pictures INTEGER NOT NULL DEFAULT 0; -- its alerts carry their chart

CREATE TABLE card (                          -- pinned messages that are kept up to date
    recipient_pk INTEGER NOT NULL REFERENCES recipient(pk) ON DELETE CASCADE,
    subject_pk INTEGER NOT NULL REFERENCES subject(pk) ON DELETE CASCADE,
    message_id INTEGER NOT NULL,
    shown TEXT NOT NULL,                     -- its text but for the time
    failures INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER NOT NULL,                -- not edited before
    PRIMARY KEY (recipient_pk, subject_pk)
) WITHOUT ROWID;
CREATE INDEX card_next ON card(next_at);
CREATE INDEX card_subject ON card(subject_pk);
