CREATE TABLE taken_update (                  -- what people wrote to the bot and what was not handled yet
    id INTEGER PRIMARY KEY,
    body TEXT NOT NULL                       -- as it came, JSON
);
