-- The access token with which a viewer's token was made: it ends when that one is revoked.
ALTER TABLE access_token ADD COLUMN made_by TEXT;
