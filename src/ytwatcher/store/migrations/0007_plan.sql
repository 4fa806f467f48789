-- When each subject's next reading is due by its own rules, and of what size its interval is (core/intervals.py), so that a plan looks only
-- at what is due next and adds up the rest by size. NULL: never read.
ALTER TABLE subject ADD COLUMN due_at INTEGER;
ALTER TABLE subject ADD COLUMN step INTEGER NOT NULL DEFAULT 0;
UPDATE subject SET due_at = read_at + 300000, near = 0;

CREATE INDEX subject_due ON subject(watched, kind, near, due_at, step);
CREATE INDEX subject_wanted ON subject(kind, wanted_at) WHERE watched = 1 AND wanted_at IS NOT NULL;
CREATE INDEX subject_metadata ON subject(watched, kind, metadata_at);
CREATE INDEX subject_metadata_wanted ON subject(kind, metadata_wanted_at) WHERE watched = 1 AND metadata_wanted_at IS NOT NULL;
