//! What a user can see, by capability, through the real sockets.

mod support;

mod delete;
mod house;
mod oidc;
mod patient_link;
mod privacy;
mod receive;
mod restart;
mod retrieve;
mod search;
mod share;
mod store_over_web;
mod tls;
