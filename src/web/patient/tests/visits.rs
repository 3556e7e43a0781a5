//! From the form to the page behind it, and out again.

use super::*;

#[tokio::test]
async fn the_right_answer_leads_to_the_studies_at_an_address_without_the_token() {
    let site = Site::new().await;
    let (path, id) = site.link().await;
    let wrong = site.post(&path, &[], WRONG).await;
    assert_eq!(wrong.status, StatusCode::FORBIDDEN);
    assert!(wrong.text().contains("You have 4 tries left."));
    let welcome = site.post(&path, &[("origin", "null"), ("sec-fetch-site", "same-origin")], RIGHT).await;
    assert_eq!((welcome.status, welcome.header("location")), (StatusCode::SEE_OTHER, "/my"));
    assert!(welcome.header("set-cookie").ends_with("; Path=/; HttpOnly; SameSite=Lax"));
    let cookie = welcome.cookie();

    let my = site.get("/my", &[("cookie", &cookie)]).await;
    assert_eq!(my.status, StatusCode::OK);
    let page = my.text();
    for part in ["For E.\u{A0}R., born 1961", "CT scan", "20 November 2026", "1 series · 1 image"] {
        assert!(page.contains(part), "{part}");
    }
    for secret in ["Ross", "Ellen", "19610307", "P1", "1.2.3"] {
        // A ticket in an address is random, and two letters of it may be anything.
        assert!(!page.split('"').step_by(2).any(|text| text.contains(secret)), "{secret}");
    }
    let german = site.get("/my?language=de", &[("cookie", &cookie)]).await.text();
    assert!(german.contains("Für E.\u{A0}R., geboren 1961"));
    assert!(site.get("/my", &[("cookie", &cookie)]).await.text().contains("lang=\"de\""), "remembered");

    site.house.access.revoke(&id, crate::audit::Actor::Operator).await.unwrap();
    assert_eq!(site.get("/my", &[("cookie", &cookie)]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(site.post(&path, &[], RIGHT).await.status, StatusCode::GONE);
}

#[tokio::test]
async fn signing_out_takes_the_page_of_the_session_itself() {
    let site = Site::new().await;
    let (path, _) = site.link().await;
    let cookie = site.post(&path, &[], RIGHT).await.cookie();
    let page = site.get("/my", &[("cookie", &cookie)]).await.text();
    let csrf = page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let forged = site.post("/my/sign-out", &[("cookie", &cookie)], "csrf=0123").await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    let elsewhere = [("cookie", cookie.as_str()), ("sec-fetch-site", "cross-site")];
    assert_eq!(site.post("/my/sign-out", &elsewhere, &format!("csrf={csrf}")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(site.get("/my", &[("cookie", &cookie)]).await.status, StatusCode::OK);
    let out = site.post("/my/sign-out", &[("cookie", &cookie)], &format!("csrf={csrf}")).await;
    assert_eq!(out.status, StatusCode::OK);
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(site.get("/my", &[("cookie", &cookie)]).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn too_many_wrong_answers_are_told_to_wait_and_then_that_it_is_over() {
    let site = Site::new().await;
    let (path, _) = site.link().await;
    for _ in 0..4 {
        assert_eq!(site.post(&path, &[], WRONG).await.status, StatusCode::FORBIDDEN);
    }
    let wait = site.post(&path, &[], WRONG).await;
    assert_eq!((wait.status, wait.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "30"));
    assert!(wait.text().contains("30 seconds"));
    for _ in 0..5 {
        site.house.clock.advance(std::time::Duration::from_hours(1));
        site.post(&path, &[], WRONG).await;
    }
    site.house.clock.advance(std::time::Duration::from_hours(1));
    let locked = site.post(&path, &[], RIGHT).await;
    assert_eq!(locked.status, StatusCode::FORBIDDEN);
    assert!(locked.text().contains("This link is locked"));
}

#[tokio::test]
async fn an_address_that_fails_too_often_is_told_to_wait() {
    let site = Site::new().await;
    let mut last = None;
    for _ in 0..40 {
        last = Some(site.post("/v/forged", &[], RIGHT).await);
    }
    let last = last.unwrap();
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(last.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 30));
}

#[tokio::test]
async fn every_answer_carries_the_headers_of_a_page_with_secrets() {
    let secure = Site::at("https://img.example.org").await;
    let plain = Site::new().await;
    for path in ["/v/x", "/my", "/d/x/images.zip", "/nowhere", "/healthz", "/my/x.jpg", "/assets/0/patient.css"] {
        let answer = plain.get(path, &[]).await;
        for (name, value) in [
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
            ("x-robots-tag", "noindex, nofollow, noarchive"),
            ("cache-control", "no-store"),
            ("strict-transport-security", ""),
        ] {
            assert_eq!(answer.header(name), value, "{path} {name}");
        }
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self';"));
        let answer = secure.get(path, &[("host", "img.example.org")]).await;
        assert_eq!(answer.header("strict-transport-security"), "max-age=63072000; includeSubDomains", "{path}");
    }
    let page = plain.get("/v/x", &[]).await.text();
    for inline in ["<style", "<script", "style=\"", "onclick", "javascript:"] {
        assert!(!page.contains(inline), "{inline}");
    }
    let css = page.split("rel=\"stylesheet\" href=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let sheet = plain.get(css, &[]).await;
    assert_eq!((sheet.status, sheet.header("content-type")), (StatusCode::OK, "text/css; charset=utf-8"));
    assert!(sheet.header("cache-control").contains("immutable"));
}

#[tokio::test]
async fn the_cookie_is_bound_to_the_host_over_https() {
    let site = Site::at("https://img.example.org").await;
    let (path, _) = site.link().await;
    let welcome = site.post(&path, &[("host", "img.example.org")], RIGHT).await;
    let cookie = welcome.header("set-cookie");
    assert!(
        cookie.starts_with("__Host-bb=") && cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"),
        "{cookie}"
    );
}

#[tokio::test]
async fn another_name_that_points_here_is_not_answered() {
    let site = Site::at("https://img.example.org").await;
    for (host, status) in [
        ("img.example.org", StatusCode::OK),
        ("IMG.example.org:443", StatusCode::OK),
        ("localhost:8081", StatusCode::OK),
        ("[::1]:8081", StatusCode::OK),
        ("evil.example", StatusCode::MISDIRECTED_REQUEST),
        ("img.example.org.evil.example", StatusCode::MISDIRECTED_REQUEST),
    ] {
        assert_eq!(site.get_as(host, "/v/x").await.status, status, "{host}");
    }
    assert_eq!(site.get_as("10.0.0.1", "/healthz").await.status, StatusCode::OK);
    // Of two, whoever stands before us may have decided by the other.
    for second in ["evil.example", "img.example.org"] {
        let both = [("host", "img.example.org"), ("host", second)];
        assert_eq!(site.get("/v/x", &both).await.status, StatusCode::BAD_REQUEST, "{second}");
    }
}

#[tokio::test]
async fn what_a_page_is_not_asked_for_is_named() {
    let site = Site::new().await;
    for (method, path, allowed) in [
        (Method::PUT, "/v/x", "GET,HEAD,POST"),
        (Method::DELETE, "/my", "GET,HEAD"),
        (Method::GET, "/my/sign-out", "POST"),
    ] {
        let answer = site.send(method.clone(), path, &[], "").await;
        assert_eq!(
            (answer.status, answer.header("allow")),
            (StatusCode::METHOD_NOT_ALLOWED, allowed),
            "{method} {path}"
        );
    }
    assert_eq!(site.get("/nothing", &[]).await.status, StatusCode::NOT_FOUND);
}
