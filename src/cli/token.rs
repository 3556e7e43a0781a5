//! `bluebridge token`: bearer tokens of DICOMweb callers.

use super::{Outcome, block_on, client, done, id, life, list, print_json, text};
use crate::config::{Config, units::Span};
use clap::builder::NonEmptyStringValueParser;
use hyper::Method;
use serde_json::{Value, json};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Create a token; it is shown once.
    Create {
        /// What it is for, such as "portal".
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        name: String,
        /// What it allows, of: read, write, share, delete.
        #[arg(long, value_delimiter = ',', default_value = "read", value_parser = ["read", "write", "share", "delete"])]
        scope: Vec<String>,
        /// How long, such as 90d; 365d without it.
        #[arg(long, value_parser = life)]
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
        #[arg(value_parser = id)]
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
                let line = |id: &str, name: &str, scopes: &str, ends: &str, state: &str| {
                    format!("{id:<28} {name:<20} {scopes:<26} {ends:<22} {state}")
                };
                list(json, &answer, "tokens", &line("id", "name", "scopes", "ends", "state"), |token| {
                    let scopes = token.get("scopes").and_then(Value::as_array).into_iter().flatten();
                    let scopes: Vec<_> = scopes.filter_map(Value::as_str).collect();
                    let (name, ends) = (text(token, "name"), text(token, "expires_at"));
                    line(text(token, "id"), name, &scopes.join(","), ends, text(token, "state"))
                })
            }
            Command::Revoke { id, json } => {
                client::call(config, Method::DELETE, &format!("/api/v1/tokens/{id}"), None).await?;
                done(json, &json!({ "id": id, "revoked": true }), &format!("token {id} is revoked"))
            }
        }
    })
}
