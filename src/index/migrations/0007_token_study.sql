-- A token that a viewer is started with (`POST /api/v1/studies/{study}/viewers`) reads this study and nothing
-- else. Such tokens are many and short-lived: the row goes some time after its end.
ALTER TABLE access_token ADD COLUMN study_instance_uid TEXT;
