-- The indexes of a build that is being filled: the statements that make them
-- once history has been applied, empty from then on.
ALTER TABLE runner.builds ADD COLUMN deferred_indexes text[] NOT NULL DEFAULT '{}';
