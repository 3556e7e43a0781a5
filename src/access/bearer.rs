//! Access tokens of DICOMweb and API callers: `bbt_` and 32 random bytes, shown once, kept as SHA-256.
//! Named, scoped, expiring, revocable. A token that is wrong, expired or revoked is simply no token.

use super::AccessError;
use crate::audit::{Actor, Event, Kind, RecordId};
use crate::domain::clock::Clock;
use crate::domain::phi::Phi;
use crate::domain::uid::StudyInstanceUid;
use crate::index::Index;
pub use crate::index::tokens::TokenRow;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How every token begins, so that a scanner of logs and repositories can find one that leaked.
const PREFIX: &str = "bbt_";
/// A row is believed this long without asking the index: a revocation takes effect within it.
const BELIEVED: Duration = Duration::from_millis(900);
const BELIEVED_MAX: usize = 1024;
/// Last use is noted to the minute: a viewer asks a thousand times in it.
const TOUCHED_EVERY_MS: i64 = 60_000;
const NAME_MAX: usize = 100;

/// Whether a token says that we have made it.
pub fn is_ours(token: &str) -> bool {
    token.starts_with(PREFIX)
}

/// What a caller with the token may do, in the words of the configuration (`read`, `share`...).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    pub token_id: String,
    pub scopes: String,
    /// The only study that there is for them; `None` is all.
    pub study: Option<StudyInstanceUid>,
}

/// What a token is to be.
#[derive(Debug)]
pub struct Wanted<'a> {
    pub name: &'a str,
    /// Words of the closed list, checked by the caller.
    pub scopes: &'a [&'a str],
    pub lifetime: Duration,
    pub study: Option<StudyInstanceUid>,
    /// Who has it made.
    pub by: Actor,
}

/// A token just made. Its text is never to be had again.
#[derive(Debug)]
pub struct NewToken {
    pub token: Phi<String>,
    pub row: TokenRow,
}

/// Rows by digest, and when they were read.
type Believed = HashMap<[u8; 32], (Instant, TokenRow)>;

/// All access tokens. Clones share it.
#[derive(Clone)]
pub struct Tokens {
    index: Index,
    clock: Clock,
    believed: Arc<Mutex<Believed>>,
}

impl Tokens {
    pub fn new(index: Index, clock: Clock) -> Self {
        Self { index, clock, believed: Arc::default() }
    }

    pub async fn create(&self, wanted: Wanted<'_>) -> Result<NewToken, AccessError> {
        let Wanted { name, scopes, lifetime, study, by } = wanted;
        let secret: [u8; 32] = super::error::random()?;
        let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
        let id = ulid::Ulid::generate();
        let now_ms = self.clock.now_ms();
        let lifetime_ms = i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX);
        let row = TokenRow {
            token_id: id.to_string(),
            sha256: digest(&token),
            name: name.chars().filter(|c| !c.is_control()).take(NAME_MAX).collect(),
            scopes: scopes.join(","),
            created_at_ms: now_ms,
            expires_at_ms: now_ms.saturating_add(lifetime_ms),
            revoked_at_ms: None,
            last_used_at_ms: None,
            study,
            made_by: match &by {
                Actor::Caller(token) => token.as_ref().map(ToString::to_string),
                _ => None,
            },
        };
        let event = Event::new(Kind::TokenCreated, by).token(RecordId::from(id));
        let event = row.study.iter().fold(event, |event, study| event.study(study.clone()));
        self.index.insert_token(&row, &event).await?;
        Ok(NewToken { token: Phi::new(token), row })
    }

    /// Whom the token of an Authorization header stands for; `None` for one that is not good (any more).
    pub async fn check(&self, token: &str) -> Result<Option<Bearer>, AccessError> {
        let well_formed = token
            .strip_prefix(PREFIX)
            .is_some_and(|rest| URL_SAFE_NO_PAD.decode(rest).is_ok_and(|secret| secret.len() == 32));
        if !well_formed {
            return Ok(None);
        }
        let sha256 = digest(token);
        let Some(row) = self.row(&sha256).await? else { return Ok(None) };
        let now_ms = self.clock.now_ms();
        if row.revoked_at_ms.is_some() || row.expires_at_ms <= now_ms {
            return Ok(None);
        }
        if row.last_used_at_ms.is_none_or(|last| now_ms.saturating_sub(last) >= TOUCHED_EVERY_MS) {
            self.touch(&sha256, &row.token_id, now_ms).await;
        }
        Ok(Some(Bearer { token_id: row.token_id, scopes: row.scopes, study: row.study }))
    }

    pub async fn list(&self) -> Result<Vec<TokenRow>, AccessError> {
        Ok(self.index.tokens().await?)
    }

    /// Revokes at once; `false` when there is no such token, or it was revoked before.
    pub async fn revoke(&self, token_id: &str) -> Result<bool, AccessError> {
        let Ok(id) = token_id.parse::<ulid::Ulid>() else { return Ok(false) };
        let event = Event::new(Kind::TokenRevoked, Actor::Operator).token(RecordId::from(id));
        let revoked = self.index.revoke_token(&id.to_string(), &event).await?;
        self.believed().clear();
        Ok(revoked)
    }

    async fn row(&self, sha256: &[u8; 32]) -> Result<Option<TokenRow>, AccessError> {
        if let Some((at, row)) = self.believed().get(sha256)
            && at.elapsed() < BELIEVED
        {
            return Ok(Some(row.clone()));
        }
        let row = self.index.token(sha256).await?;
        if let Some(row) = &row {
            let mut believed = self.believed();
            if believed.len() >= BELIEVED_MAX {
                believed.clear();
            }
            believed.insert(*sha256, (Instant::now(), row.clone()));
        }
        Ok(row)
    }

    /// A use that cannot be noted is no reason to refuse it.
    async fn touch(&self, sha256: &[u8; 32], token_id: &str, now_ms: i64) {
        if let Some((_, row)) = self.believed().get_mut(sha256) {
            row.last_used_at_ms = Some(now_ms);
        }
        if let Err(error) = self.index.touch_token(token_id).await {
            tracing::warn!(error = %error, "the last use of an access token could not be noted");
        }
    }

    fn believed(&self) -> std::sync::MutexGuard<'_, Believed> {
        self.believed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::IndexSettings;
    use jiff::Timestamp;

    fn wanted<'a>(name: &'a str, scopes: &'a [&'a str], seconds: u64) -> Wanted<'a> {
        Wanted { name, scopes, lifetime: Duration::from_secs(seconds), study: None, by: Actor::Operator }
    }

    async fn tokens(dir: &std::path::Path) -> (Tokens, Clock) {
        let clock = Clock::settable(Timestamp::UNIX_EPOCH);
        let index = Index::open(dir, IndexSettings::default(), clock.clone()).await.unwrap();
        (Tokens::new(index, clock.clone()), clock)
    }

    #[tokio::test]
    async fn a_token_opens_until_it_expires_or_is_revoked() {
        let dir = tempfile::tempdir().unwrap();
        let (tokens, clock) = tokens(dir.path()).await;
        let made = tokens.create(wanted("portal", &["read", "share"], 3600)).await.unwrap();
        let other = tokens.create(wanted("script", &["read"], 7200)).await.unwrap();
        let text = made.token.expose();
        assert!(text.starts_with("bbt_") && text.len() == 47);
        let bearer = tokens.check(text).await.unwrap().unwrap();
        assert_eq!((bearer.token_id.as_str(), bearer.scopes.as_str()), (made.row.token_id.as_str(), "read,share"));

        clock.advance(Duration::from_secs(3599));
        assert!(tokens.check(text).await.unwrap().is_some());
        clock.advance(Duration::from_secs(1));
        assert_eq!(tokens.check(text).await.unwrap(), None);

        assert!(tokens.check(other.token.expose()).await.unwrap().is_some());
        assert!(tokens.revoke(&other.row.token_id).await.unwrap());
        assert_eq!(tokens.check(other.token.expose()).await.unwrap(), None);
        assert!(!tokens.revoke(&other.row.token_id).await.unwrap());
    }

    #[tokio::test]
    async fn what_a_token_made_ends_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let (tokens, _) = tokens(dir.path()).await;
        let portal = tokens.create(wanted("portal", &["read", "share"], 60)).await.unwrap();
        let id: ulid::Ulid = portal.row.token_id.parse().unwrap();
        let by = Actor::Caller(Some(RecordId::from(id)));
        let launch = tokens.create(Wanted { by, ..wanted("viewer", &["read"], 60) }).await.unwrap();
        let other = tokens.create(wanted("viewer", &["read"], 60)).await.unwrap();
        assert!(tokens.check(launch.token.expose()).await.unwrap().is_some());
        assert!(tokens.revoke(&portal.row.token_id).await.unwrap());
        assert_eq!(tokens.check(launch.token.expose()).await.unwrap(), None);
        assert!(tokens.check(other.token.expose()).await.unwrap().is_some());
        let listed = tokens.list().await.unwrap();
        let launch = listed.iter().find(|row| row.token_id == launch.row.token_id).unwrap();
        assert_eq!(launch.made_by.as_deref(), Some(portal.row.token_id.as_str()));
    }

    #[tokio::test]
    async fn what_is_no_token_is_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let (tokens, _) = tokens(dir.path()).await;
        let made = tokens.create(wanted("portal", &["read"], 60)).await.unwrap();
        let text = made.token.expose();
        let flipped = text.replace(&text[10..11], if &text[10..11] == "A" { "B" } else { "A" });
        let longer = format!("{text}A");
        for wrong in ["", "bbt_", "x", &text[4..], &text[..46], &flipped, &longer, "bb1_x"] {
            assert_eq!(tokens.check(wrong).await.unwrap(), None, "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn use_is_noted_and_the_text_is_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let (tokens, clock) = tokens(dir.path()).await;
        let made = tokens.create(wanted("portal", &["read"], 60)).await.unwrap();
        clock.advance(Duration::from_millis(5));
        tokens.check(made.token.expose()).await.unwrap();
        let row = tokens.list().await.unwrap().remove(0);
        assert_eq!(row.last_used_at_ms, Some(5));
        assert!(!format!("{made:?}").contains(made.token.expose().as_str()));
    }

    #[tokio::test]
    async fn a_token_for_one_study_says_so_and_its_row_goes_when_it_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        let (tokens, clock) = tokens(dir.path()).await;
        let study = StudyInstanceUid::parse("1.2.3").unwrap();
        let made =
            tokens.create(Wanted { study: Some(study.clone()), ..wanted("viewer", &["read"], 60) }).await.unwrap();
        assert_eq!(tokens.check(made.token.expose()).await.unwrap().unwrap().study.as_ref(), Some(&study));
        tokens.create(wanted("portal", &["read"], 60)).await.unwrap();
        clock.advance(Duration::from_secs(30));
        tokens.create(Wanted { study: Some(study), ..wanted("later", &["read"], 60) }).await.unwrap();
        let listed = || async { tokens.list().await.unwrap().into_iter().map(|row| row.name).collect::<Vec<_>>() };
        assert_eq!(listed().await, ["portal", "later", "viewer"]);
        clock.advance(Duration::from_secs(31));
        tokens.create(wanted("script", &["read"], 60)).await.unwrap();
        assert_eq!(listed().await, ["script", "portal", "later"], "what a person made stays listed");
    }
}
