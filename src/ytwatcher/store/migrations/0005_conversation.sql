CREATE TABLE handled_update (                -- what people wrote to the bot, and was answered: nothing is applied twice
    id INTEGER PRIMARY KEY,                  -- Telegram's update_id
    handled_at INTEGER NOT NULL
);
CREATE INDEX handled_update_at ON handled_update(handled_at);

CREATE TABLE quarantined_update (            -- what could not be handled, kept to be looked at
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    error TEXT NOT NULL,
    body TEXT NOT NULL
);
