//! `bluebridge token`: bearer tokens of DICOMweb callers.

use super::{Failure, Outcome, block_on, client, print_json};
use crate::config::{Config, units::Span};
use hyper::Method;
use serde_json::{Value, json};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Create a token; it is shown once.
    Create {
        /// What it is for, such as "portal".
        name: String,
        /// What it allows, of: read, write, share, delete.
        #[arg(long, value_delimiter = ',', default_value = "read")]
        scope: Vec<String>,
        /// How long, such as 90d; 365d without it.
        #[arg(long)]
        expires: Option<Span>,
        #[arg(long)]
        json: bool,
    },
    /// List tokens (never the secrets).
    List {
        #[arg(long)]
        json: bool,
    },
    /// End a token at once.
    Revoke {
        id: String,
        #[arg(long)]
        json: bool,
    },
}

pub fn run(config: &Config, command: Command) -> Outcome {
    block_on(async {
        match command {
            Command::Create { name, scope, expires, json } => {
                let body =
                    json!({ "name": name, "scopes": scope, "expires_s": expires.map(|span| span.get().as_secs()) });
                let answer = client::call(config, Method::POST, "/api/v1/tokens", Some(&body)).await?;
                if json {
                    return print_json(&answer);
                }
                println!("{}", text(&answer, "token"));
                eprintln!("shown once; send it as: Authorization: Bearer <token>. Its id is {}", text(&answer, "id"));
                Ok(())
            }
            Command::List { json } => {
                let answer = client::call(config, Method::GET, "/api/v1/tokens", None).await?;
                if json { print_json(&answer) } else { list_in_words(&answer) }
            }
            Command::Revoke { id, json } => {
                if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
                    return Err(Failure::Usage(format!("{id:?} is not a token id; bluebridge token list shows them")));
                }
                client::call(config, Method::DELETE, &format!("/api/v1/tokens/{id}"), None).await?;
                if json {
                    return print_json(&json!({ "id": id, "revoked": true }));
                }
                println!("token {id} is revoked");
                Ok(())
            }
        }
    })
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or("-")
}

fn list_in_words(answer: &Value) -> Outcome {
    let tokens = answer.get("tokens").and_then(Value::as_array).or_else(|| answer.as_array());
    let Some(tokens) = tokens.filter(|tokens| !tokens.is_empty()) else {
        println!("no tokens");
        return Ok(());
    };
    println!("{:<28} {:<20} {:<26} {:<22} state", "id", "name", "scopes", "ends");
    for token in tokens {
        let scopes: Vec<_> =
            token.get("scopes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        println!(
            "{:<28} {:<20} {:<26} {:<22} {}",
            text(token, "id"),
            text(token, "name"),
            scopes.join(","),
            text(token, "expires_at"),
            text(token, "state")
        );
    }
    Ok(())
}
