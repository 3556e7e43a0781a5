//! `bluebridge link`: grant, list, extend and revoke patient links.

use super::{Outcome, block_on, client, done, id, life, list, print_json, text};
use crate::config::{Config, units::Span};
use crate::domain::uid::StudyInstanceUid;
use hyper::Method;
use serde_json::{Value, json};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Grant a link for one study, or for all studies of a patient, present and future.
    Grant {
        /// Study Instance UID.
        #[arg(long, required_unless_present = "patient", conflicts_with = "patient", value_parser = study_uid)]
        study: Option<String>,
        /// Study Instance UID of any study of the patient: all of that person's studies are granted.
        #[arg(long, value_parser = study_uid)]
        patient: Option<String>,
        /// What the patient must know: birth-date+code, birth-date or code.
        #[arg(long, value_parser = ["birth-date+code", "birth-date", "code"])]
        verify: Option<String>,
        /// Address the link is meant for; shown to staff, never mailed by this version.
        #[arg(long)]
        email: Option<String>,
        /// How long, such as 30d.
        #[arg(long, value_parser = life)]
        expires: Option<Span>,
        #[arg(long)]
        json: bool,
    },
    /// List links, newest first.
    List {
        #[arg(long)]
        json: bool,
    },
    /// Move a link's expiry, up to `link.expires_max` after its grant.
    Extend {
        #[arg(value_parser = id)]
        id: String,
        /// From now, such as 30d.
        #[arg(long, default_value = "30d", value_parser = life)]
        expires: Span,
        #[arg(long)]
        json: bool,
    },
    /// End a link at once, running downloads included.
    Revoke {
        #[arg(value_parser = id)]
        id: String,
        #[arg(long)]
        json: bool,
    },
}

pub fn run(config: &Config, command: Command) -> Outcome {
    block_on(async {
        match command {
            Command::Grant { study, patient, verify, email, expires, json } => {
                let body = json!({
                    "study": study, "patient_of_study": patient, "verify": verify, "email": email,
                    "expires_s": expires.map(|span| span.get().as_secs()),
                });
                let answer = client::call(config, Method::POST, "/api/v1/links", Some(&body)).await?;
                if json { print_json(&answer) } else { grant_in_words(&answer) }
            }
            Command::List { json } => {
                let answer = client::call(config, Method::GET, "/api/v1/links", None).await?;
                let line = |id: &str, state: &str, ends: &str, verify: &str, opened: &str| {
                    format!("{id:<18} {state:<10} {ends:<22} {verify:<16} {opened}")
                };
                list(json, &answer, "links", &line("id", "state", "ends", "verify", "opened"), |link| {
                    let opened = link.get("opened").and_then(Value::as_u64).unwrap_or(0).to_string();
                    line(text(link, "id"), text(link, "state"), text(link, "expires_at"), text(link, "verify"), &opened)
                })
            }
            Command::Extend { id, expires, json } => {
                let body = json!({ "expires_s": expires.get().as_secs() });
                let path = format!("/api/v1/links/{id}/extend");
                let answer = client::call(config, Method::POST, &path, Some(&body)).await?;
                done(json, &answer, &format!("link {id} now ends {}", text(&answer, "expires_at")))
            }
            Command::Revoke { id, json } => {
                let answer = client::call(config, Method::DELETE, &format!("/api/v1/links/{id}"), None).await?;
                let said = json!({ "id": id, "revoked": true, "answer": answer });
                done(json, &said, &format!("link {id} is revoked"))
            }
        }
    })
}

fn study_uid(text: &str) -> Result<String, String> {
    match StudyInstanceUid::parse(text) {
        Ok(uid) => Ok(uid.to_string()),
        Err(_) => Err("not a Study Instance UID (PS3.5 §9.1)".into()),
    }
}

fn grant_in_words(answer: &Value) -> Outcome {
    println!("link   {}", text(answer, "url"));
    if let Some(code) = answer.get("code").and_then(Value::as_str) {
        println!("code   {code}   (hand it over at the desk, not by the same mail)");
    }
    println!("ends   {}", text(answer, "expires_at"));
    println!("id     {}", text(answer, "id"));
    if let Some(note) = answer.get("note").and_then(Value::as_str) {
        println!("note   {note}");
    }
    Ok(())
}
