ALTER TABLE alert ADD COLUMN lane TEXT;      -- what read it: statistics, metadata, membership; NULL: an engine judged it, or it is older
