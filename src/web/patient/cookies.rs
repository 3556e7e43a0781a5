//! The session's cookie: `__Host-bb` over https, `bb` on a plain loopback address. It is a session
//! cookie without a date, so closing the browser forgets it.

use axum::http::{HeaderMap, HeaderValue, header};

const fn name(secure: bool) -> &'static str {
    if secure { "__Host-bb" } else { "bb" }
}

/// The value that the browser sent. Of several, the first: others were set by someone else.
pub(super) fn read(headers: &HeaderMap, secure: bool) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(known, _)| *known == name(secure))
        .map(|(_, value)| value)
}

/// Lax, so that a second click on the mail finds the session again.
pub(super) fn set(value: &str, secure: bool) -> Option<HeaderValue> {
    let attributes = if secure { "; Secure" } else { "" };
    HeaderValue::from_str(&format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{attributes}", name(secure))).ok()
}

pub(super) fn clear(secure: bool) -> HeaderValue {
    HeaderValue::from_static(if secure {
        "__Host-bb=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0; Secure"
    } else {
        "bb=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; xbb=2;bb=3; bb=4"));
        assert_eq!(read(&headers, false), Some("3"));
        assert_eq!(read(&headers, true), None);
        headers.append(header::COOKIE, HeaderValue::from_static("__Host-bb=5"));
        assert_eq!(read(&headers, true), Some("5"));
        assert_eq!(set("v", true).unwrap(), "__Host-bb=v; Path=/; HttpOnly; SameSite=Lax; Secure");
    }
}
