-- A channel's @handle without regard to case (str.casefold), so that it is found by it without asking YouTube. NULL: not known.
ALTER TABLE target ADD COLUMN handle TEXT;
