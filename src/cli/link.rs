//! `bluebridge link`: grant, list, extend and revoke patient links.

use super::{Failure, Outcome, block_on, client, print_json};
use crate::config::{Config, units::Span};
use hyper::Method;
use serde_json::{Value, json};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Grant a link for one study, or for all studies of a patient, present and future.
    Grant {
        /// Study Instance UID.
        #[arg(long, required_unless_present = "patient", conflicts_with = "patient")]
        study: Option<String>,
        /// Study Instance UID of any study of the patient: all of that person's studies are granted.
        #[arg(long)]
        patient: Option<String>,
        /// What the patient must know: birth-date+code, birth-date or code.
        #[arg(long, value_parser = ["birth-date+code", "birth-date", "code"])]
        verify: Option<String>,
        /// Address the link is meant for; shown to staff, never mailed by this version.
        #[arg(long)]
        email: Option<String>,
        /// How long, such as 30d.
        #[arg(long)]
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
        id: String,
        /// From now, such as 30d.
        #[arg(long, default_value = "30d")]
        expires: Span,
        #[arg(long)]
        json: bool,
    },
    /// End a link at once, running downloads included.
    Revoke {
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
                if json { print_json(&answer) } else { list_in_words(&answer) }
            }
            Command::Extend { id, expires, json } => {
                let body = json!({ "expires_s": expires.get().as_secs() });
                let path = format!("/api/v1/links/{}/extend", checked(&id)?);
                let answer = client::call(config, Method::POST, &path, Some(&body)).await?;
                if json {
                    return print_json(&answer);
                }
                println!("link {id} now ends {}", text(&answer, "expires_at"));
                Ok(())
            }
            Command::Revoke { id, json } => {
                let path = format!("/api/v1/links/{}", checked(&id)?);
                let answer = client::call(config, Method::DELETE, &path, None).await?;
                if json {
                    return print_json(&json!({ "id": id, "revoked": true, "answer": answer }));
                }
                println!("link {id} is revoked");
                Ok(())
            }
        }
    })
}

/// An id goes into a path; ours are letters and digits.
fn checked(id: &str) -> Result<&str, Failure> {
    let fits = !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if fits { Ok(id) } else { Err(Failure::Usage(format!("{id:?} is not a link id; bluebridge link list shows them"))) }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or("-")
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

fn list_in_words(answer: &Value) -> Outcome {
    let links = answer.get("links").and_then(Value::as_array).or_else(|| answer.as_array());
    let Some(links) = links.filter(|links| !links.is_empty()) else {
        println!("no links");
        return Ok(());
    };
    println!("{:<18} {:<10} {:<22} {:<16} opened", "id", "state", "ends", "verify");
    for link in links {
        let opened = link.get("opened").and_then(Value::as_u64).unwrap_or(0);
        println!(
            "{:<18} {:<10} {:<22} {:<16} {opened}",
            text(link, "id"),
            text(link, "state"),
            text(link, "expires_at"),
            text(link, "verify")
        );
    }
    Ok(())
}
