-- Who judges a rule on a subject: the embedded judge before engine_since, the engine from then on (NULL: embedded).
ALTER TABLE rule_state ADD COLUMN engine_since INTEGER;

CREATE TABLE mirror (                        -- what the topic of rules is known to hold for a video
    subject_pk INTEGER PRIMARY KEY,
    rules TEXT NOT NULL                      -- the acknowledged record, as JSON
);
