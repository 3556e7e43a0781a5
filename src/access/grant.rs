//! Making, listing, extending and ending links: what staff do.

use super::birth_date::BirthDate;
use super::code::DeskCode;
use super::keys::Purpose;
use super::token::{LinkKey, Minted};
use super::{Access, AccessError, Whose, attempts, scope, token, trail};
use crate::audit::Actor;
use crate::config::Verify;
use crate::config::units::Span;
use crate::domain::attributes::tags;
use crate::domain::phi::Phi;
use crate::index::links::{LinkRow, Tries};

/// A link to be made.
#[derive(Debug, Clone)]
pub struct GrantRequest {
    pub whose: Whose,
    /// `link.verify` of the configuration when `None`.
    pub verify: Option<Verify>,
    /// `link.expires` of the configuration when `None`.
    pub expires: Option<Span>,
    /// Where staff mean to send it; kept for them.
    pub meant_for: Option<Phi<String>>,
    /// Who grants, for the trail.
    pub by: Actor,
}

/// A link that was just made. URL and code are shown once; the index keeps digests of them only.
#[derive(Debug, Clone)]
pub struct Granted {
    pub id: String,
    pub url: Phi<String>,
    /// The desk code, to be handed over by another way than the URL.
    pub code: Option<Phi<String>>,
    pub expires_at_ms: i64,
    /// How it is verified in the end.
    pub verify: Verify,
    /// Birth date and code were asked for, and there is no usable birth date.
    pub fell_back_to_code: bool,
}

/// Where a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Active,
    Waiting,
    Locked,
    Expired,
    Revoked,
}

impl State {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Waiting => "waiting",
            Self::Locked => "locked",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// A link as staff see it.
#[derive(Debug, Clone)]
pub struct LinkSummary {
    pub row: LinkRow,
    pub state: State,
    pub verify: Verify,
    /// Studies that came under this Patient ID with another name or birth date.
    pub held: usize,
}

impl Access {
    /// Makes a link. Refuses where the wrong person could get to see something: unknown studies, studies
    /// in a patient conflict, and a birth date as the only question where there is none.
    pub async fn grant(&self, request: GrantRequest) -> Result<Granted, AccessError> {
        let now_ms = self.0.clock.now_ms();
        let limits = &self.0.link;
        let life = request.expires.unwrap_or(limits.expires);
        if life > limits.expires_max {
            return Err(AccessError::TooLong(limits.expires_max));
        }
        if life.get().is_zero() {
            return Err(AccessError::TooShort);
        }
        let subject = scope::subject(&self.0.index, &request.whose).await?;
        let birth_date =
            subject.attributes.first(tags::PATIENT_BIRTH_DATE).and_then(|value| BirthDate::stored(value, now_ms));
        let asked = request.verify.unwrap_or(limits.verify);
        let (verify, fell_back_to_code) = match (asked, &birth_date) {
            (Verify::BirthDate, None) => return Err(AccessError::NoBirthDate),
            (Verify::BirthDateAndCode, None) => (Verify::Code, true),
            (asked, _) => (asked, false),
        };
        self.0.ring.rotate(now_ms)?;
        let expires_at_ms = now_ms.saturating_add(as_ms(life));
        let expires_latest_ms = now_ms.saturating_add(as_ms(limits.expires_max));
        let Minted { token, key, kid } = token::mint(&self.0.ring, &self.0.origin, expires_latest_ms)?;
        let code = if verify == Verify::BirthDate { None } else { Some(DeskCode::generate()?) };
        let code_argon2id = match code.clone() {
            Some(code) => Some(self.hashing(move || code.hash()).await??.to_vec()),
            None => None,
        };
        let birth_date = birth_date.filter(|_| verify != Verify::Code);
        let row = LinkRow {
            lid_sha256: *key.bytes(),
            link_id: key.id(),
            kid,
            study: subject.study.clone(),
            identity_hmac: self.mac(kid, Purpose::Identity, &key, &subject.identity())?,
            birth_date_hmac: birth_date
                .map(|date| self.mac(kid, Purpose::BirthDate, &key, date.digits()))
                .transpose()?,
            code_argon2id,
            meant_for: request.meant_for,
            granted_at_ms: now_ms,
            granted_by: named(&request.by),
            expires_at_ms,
            expires_latest_ms,
            revoked_at_ms: None,
            tries: Tries::default(),
            first_verified_at_ms: None,
            last_verified_at_ms: None,
            verified: 0,
            downloads: 0,
            bytes: 0,
            // The week of the byte limit begins with the first byte sent.
            week_began_at_ms: 0,
            week_bytes: 0,
            patient: subject.patient,
        };
        self.0.index.insert_link(&row, &[trail::granted(&row, request.by)]).await?;
        Ok(Granted {
            id: row.link_id,
            url: Phi::new(format!("{}/v/{}", self.0.public_url, token.expose())),
            code: code.map(|code| code.written()),
            expires_at_ms,
            verify,
            fell_back_to_code,
        })
    }

    /// The newest first.
    pub async fn list(&self, limit: u32) -> Result<Vec<LinkSummary>, AccessError> {
        let mut summaries = Vec::new();
        for row in self.0.index.links(limit).await? {
            summaries.push(self.summary(row).await?);
        }
        Ok(summaries)
    }

    /// One link by the id that staff know.
    pub async fn show(&self, id: &str) -> Result<LinkSummary, AccessError> {
        let row = self.0.index.link_by_id(id).await?.ok_or(AccessError::NoSuchLink)?;
        self.summary(row).await
    }

    /// Lets a link live for `life` from now, up to the end that is written in its token. A link that has
    /// run out may come back this way; a revoked one may not.
    pub async fn extend(&self, id: &str, life: Span, by: Actor) -> Result<LinkSummary, AccessError> {
        if life.get().is_zero() {
            return Err(AccessError::TooShort);
        }
        let row = self.0.index.link_by_id(id).await?.ok_or(AccessError::NoSuchLink)?;
        let now_ms = self.0.clock.now_ms();
        let changed = self.0.index.change_link(&row.lid_sha256, |row| {
            if row.revoked_at_ms.is_some() {
                return (Err(AccessError::Revoked), Vec::new());
            }
            let until_ms = now_ms.saturating_add(as_ms(life));
            if until_ms > row.expires_latest_ms {
                return (Err(AccessError::TooLong(self.0.link.expires_max)), Vec::new());
            }
            row.expires_at_ms = until_ms;
            (Ok(row.clone()), vec![trail::extended(row, by)])
        });
        let row = changed.await?.ok_or(AccessError::NoSuchLink)??;
        self.summary(row).await
    }

    /// Ends a link: its sessions at once, its running downloads at their next piece. Ending it twice is
    /// ending it once.
    pub async fn revoke(&self, id: &str, by: Actor) -> Result<LinkSummary, AccessError> {
        let row = self.0.index.link_by_id(id).await?.ok_or(AccessError::NoSuchLink)?;
        let now_ms = self.0.clock.now_ms();
        let changed = self.0.index.change_link(&row.lid_sha256, |row| {
            if row.revoked_at_ms.is_some() {
                return (row.clone(), Vec::new());
            }
            row.revoked_at_ms = Some(now_ms);
            (row.clone(), vec![trail::revoked(row, by)])
        });
        let row = changed.await?.ok_or(AccessError::NoSuchLink)?;
        self.end_all(LinkKey(row.lid_sha256));
        self.summary(row).await
    }

    async fn summary(&self, row: LinkRow) -> Result<LinkSummary, AccessError> {
        let now_ms = self.0.clock.now_ms();
        let state = match attempts::standing(&row.tries, &self.0.link, now_ms) {
            _ if row.revoked_at_ms.is_some() => State::Revoked,
            _ if now_ms >= row.expires_at_ms => State::Expired,
            attempts::Standing::Locked => State::Locked,
            attempts::Standing::Wait { .. } => State::Waiting,
            attempts::Standing::Open => State::Active,
        };
        let verify = match (&row.birth_date_hmac, &row.code_argon2id) {
            (Some(_), Some(_)) => Verify::BirthDateAndCode,
            (Some(_), None) => Verify::BirthDate,
            (None, _) => Verify::Code,
        };
        let held = if row.study.is_none() { self.studies_of(&row).await?.held.len() } else { 0 };
        Ok(LinkSummary { row, state, verify, held })
    }
}

/// The actor as the row keeps it.
fn named(actor: &Actor) -> String {
    match actor {
        Actor::System => "system".into(),
        Actor::Operator => "operator".into(),
        Actor::Device(title) => format!("device {title}"),
        Actor::Caller(Some(token)) => format!("token {token}"),
        Actor::Caller(None) => "loopback".into(),
        Actor::Certificate(name) => format!("certificate {name}"),
        Actor::Subject(head) => format!("subject {head}"),
        Actor::LinkHolder(link) => format!("link {link}"),
        Actor::Unknown => "unknown".into(),
    }
}

fn as_ms(span: Span) -> i64 {
    i64::try_from(span.get().as_millis()).unwrap_or(i64::MAX)
}
