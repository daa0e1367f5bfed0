-- Read models as of a moment: temporary builds that whoever asks for the same
-- moment shares. When somebody last did; null for builds of any other kind.
ALTER TABLE runner.builds
    ADD COLUMN used_at timestamptz CHECK (used_at IS NULL OR purpose = 'temporary');
