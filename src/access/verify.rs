//! The question that only the patient can answer. Opening a link asks nothing of the index; only a
//! complete, well-formed answer is compared, and it is counted in the transaction that decides, before
//! anyone is told.

use super::attempts::{self, Standing};
use super::birth_date::{BirthDate, DateFault, TypedDate};
use super::code::{CodeFault, DeskCode};
use super::keys::Purpose;
use super::token::LinkKey;
use super::{Access, AccessError, token, trail};
use crate::domain::phi::Phi;
use crate::index::links::LinkRow;
use std::net::IpAddr;
use subtle::ConstantTimeEq;

/// What came from the form.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    pub code: Phi<String>,
    pub birth_date: TypedDate,
}

/// What the person in front of the form is told.
#[derive(Debug)]
pub enum Verdict {
    /// The value of the session's cookie.
    Welcome { cookie: Phi<String> },
    /// Nothing was filled in.
    Nothing,
    /// Something is missing or mistyped; not counted.
    Incomplete { code: Option<CodeFault>, birth_date: Option<DateFault> },
    /// Counted.
    Wrong { left: u32 },
    /// Too many in a row.
    Wait { seconds: u64 },
    /// Too many in the life of the link.
    Locked,
    /// Forged, unknown, expired, revoked: told alike.
    Ended,
}

impl Verdict {
    /// Whether it counts against the address it came from: a wrong answer, or a link that is none.
    pub const fn is_failure(&self) -> bool {
        matches!(self, Self::Wrong { .. } | Self::Wait { .. } | Self::Locked | Self::Ended)
    }
}

impl Access {
    /// Compares `answers` with what the link asks for. `language` is kept with the session that begins.
    pub async fn verify(
        &self,
        token: &str,
        answers: &Answers,
        from: IpAddr,
        language: Option<String>,
    ) -> Result<Verdict, AccessError> {
        let code = DeskCode::parse(answers.code.expose());
        let birth_date = BirthDate::typed(&answers.birth_date);
        if code == Err(CodeFault::Empty) && birth_date == Err(DateFault::Empty) {
            return Ok(Verdict::Nothing);
        }
        let now_ms = self.0.clock.now_ms();
        let Some(checked) = token::check(&self.0.ring, &self.0.origin, token, now_ms) else {
            return Ok(Verdict::Ended);
        };
        let Some(row) = self.0.index.link(checked.key.bytes()).await?.filter(|row| opens(row, now_ms)) else {
            return Ok(Verdict::Ended);
        };
        if let Some(refusal) = self.refusal(&row, now_ms) {
            return Ok(refusal);
        }
        let code_fault = code.as_ref().err().filter(|_| row.code_argon2id.is_some()).copied();
        let date_fault = birth_date.as_ref().err().filter(|_| row.birth_date_hmac.is_some()).copied();
        if code_fault.is_some() || date_fault.is_some() {
            return Ok(Verdict::Incomplete { code: code_fault, birth_date: date_fault });
        }
        let right = self.is_right(&row, code.ok(), birth_date.ok()).await?;
        self.settle(&row, right, from, language).await
    }

    /// Both are compared whatever the first one says, and each in constant time.
    async fn is_right(
        &self,
        row: &LinkRow,
        code: Option<DeskCode>,
        birth_date: Option<BirthDate>,
    ) -> Result<bool, AccessError> {
        let date_right = match (&row.birth_date_hmac, birth_date) {
            (None, _) => true,
            (Some(known), Some(date)) => {
                let typed = self.mac(row.kid, Purpose::BirthDate, &LinkKey(row.lid_sha256), date.digits())?;
                typed.ct_eq(known).into()
            }
            (Some(_), None) => false,
        };
        let code_right = match (row.code_argon2id.clone(), code) {
            (None, _) => true,
            (Some(known), Some(code)) => self.hashing(move || code.matches(&known)).await?,
            (Some(_), None) => false,
        };
        // A link that asks nothing is opened by nobody.
        let asks = row.birth_date_hmac.is_some() || row.code_argon2id.is_some();
        Ok(asks & date_right & code_right)
    }

    /// Counts and answers in one write transaction: of many guesses at once, those beyond the limit are
    /// refused even when they are right.
    async fn settle(
        &self,
        row: &LinkRow,
        right: bool,
        from: IpAddr,
        language: Option<String>,
    ) -> Result<Verdict, AccessError> {
        let changed = self.0.index.change_link(&row.lid_sha256, |row| {
            let now_ms = self.0.clock.now_ms();
            if !opens(row, now_ms) {
                return (Err(Verdict::Ended), Vec::new());
            }
            if let Some(refusal) = self.refusal(row, now_ms) {
                return (Err(refusal), Vec::new());
            }
            if right {
                attempts::count_right(&mut row.tries);
                row.first_verified_at_ms = row.first_verified_at_ms.or(Some(now_ms));
                row.last_verified_at_ms = Some(now_ms);
                row.verified = row.verified.saturating_add(1);
                return (Ok(()), vec![trail::verified(row, from)]);
            }
            let standing = attempts::count_wrong(&mut row.tries, &self.0.link, now_ms);
            let left = attempts::left(&row.tries, &self.0.link);
            let mut events = vec![trail::verification_failed(row, from)];
            if standing != Standing::Open {
                events.push(trail::locked_out(row, from, standing == Standing::Locked));
            }
            let verdict = match standing {
                Standing::Open => Verdict::Wrong { left },
                Standing::Wait { until_ms } => wait(until_ms, now_ms),
                Standing::Locked => Verdict::Locked,
            };
            (Err(verdict), events)
        });
        match changed.await? {
            None => Ok(Verdict::Ended),
            Some(Err(verdict)) => Ok(verdict),
            Some(Ok(())) => {
                let cookie = self.0.sessions.begin(LinkKey(row.lid_sha256), language, self.0.clock.now_ms())?;
                Ok(Verdict::Welcome { cookie })
            }
        }
    }

    fn refusal(&self, row: &LinkRow, now_ms: i64) -> Option<Verdict> {
        match attempts::standing(&row.tries, &self.0.link, now_ms) {
            Standing::Open => None,
            Standing::Wait { until_ms } => Some(wait(until_ms, now_ms)),
            Standing::Locked => Some(Verdict::Locked),
        }
    }
}

/// Whether a link is neither revoked nor over.
pub(super) fn opens(row: &LinkRow, now_ms: i64) -> bool {
    row.revoked_at_ms.is_none() && now_ms < row.expires_at_ms
}

fn wait(until_ms: i64, now_ms: i64) -> Verdict {
    let left_ms = until_ms.saturating_sub(now_ms).max(0).unsigned_abs();
    Verdict::Wait { seconds: left_ms.div_ceil(1000).max(1) }
}
