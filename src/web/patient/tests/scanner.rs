//! What a mail scanner does to a link: it looks, presses every button, and must change nothing.

use super::*;
use crate::index::links::Tries;

#[tokio::test]
async fn the_landing_page_is_the_same_for_every_token() {
    let site = Site::new().await;
    let (valid, id) = site.link().await;
    let reference = site.get(&valid, &[]).await;
    assert_eq!(reference.status, StatusCode::OK);
    site.house.access.revoke(&id, crate::audit::Actor::Operator).await.unwrap();
    let mut damaged = valid.clone();
    damaged.replace_range(5..6, if &valid[5..6] == "A" { "B" } else { "A" });
    for path in [valid.as_str(), &damaged, "/v/x", "/v/%FF", &format!("/v/{}", "A".repeat(50)), &format!("{valid}.")] {
        let answer = site.get(path, &[]).await;
        assert_eq!((answer.status, &answer.bytes), (StatusCode::OK, &reference.bytes), "{path}");
        assert_eq!(answer.headers, reference.headers);
        assert!(answer.headers.get(header::SET_COOKIE).is_none());
        let head = site.send(Method::HEAD, path, &[], "").await;
        assert_eq!((head.status, head.bytes.len()), (StatusCode::OK, 0));
    }
    assert!(!reference.text().contains(valid.trim_start_matches("/v/")), "the page does not hold the token");
    let german = site.get(&valid, &[("accept-language", "de")]).await;
    assert!(german.text().contains("lang=\"de\"") && german.text().contains("Geburtsdatum"));
}

#[tokio::test]
async fn looking_and_pressing_every_button_costs_no_try() {
    let site = Site::new().await;
    let (path, id) = site.link().await;
    for _ in 0..15 {
        site.get(&path, &[]).await;
        site.send(Method::HEAD, &path, &[], "").await;
        site.get(&format!("{path}?utm=1"), &[]).await;
    }
    let forms = [
        "",
        "code=&day=&month=&year=",
        "code=test&day=test&month=test&year=test",
        "code=test%40example.org&day=1&month=1&year=1",
        "say=de&code=&day=&month=&year=",
        "say=de&code=&day=1&month=1&year=1970",
        "%%%&&==",
        "day=1&day=2&month=1&year=1970",
    ];
    for form in forms {
        let answer = site.post(&path, &[], form).await;
        assert!(matches!(answer.status.as_u16(), 200 | 422), "{form}: {}", answer.status);
        let plain = site.send(Method::POST, &path, &[("content-type", "text/plain")], form).await;
        assert_eq!(plain.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    site.post(&path, &[], &"x".repeat(100_000)).await;
    let link = site.house.index.link_by_id(&id).await.unwrap().unwrap();
    assert_eq!((link.tries, link.verified), (Tries::default(), 0));
    assert_eq!(site.post(&path, &[], RIGHT).await.status, StatusCode::SEE_OTHER, "the patient is let in at first try");
}

#[tokio::test]
async fn the_language_can_be_changed_without_losing_what_was_typed() {
    let site = Site::new().await;
    let (path, _) = site.link().await;
    let answer = site.post(&path, &[], "say=de&code=AB12&day=7&month=M%C3%A4rz&year=1961&language=en").await;
    let page = answer.text();
    assert_eq!(answer.status, StatusCode::OK);
    for kept in ["lang=\"de\"", "value=\"AB12\"", "value=\"7\"", "value=\"März\"", "value=\"1961\""] {
        assert!(page.contains(kept), "{kept}");
    }
}

#[tokio::test]
async fn what_was_typed_is_shown_as_text_only() {
    let site = Site::new().await;
    let (path, _) = site.link().await;
    let answer = site.post(&path, &[], "say=en&code=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E").await;
    assert!(!answer.text().contains("<script>") && answer.text().contains("&#60;script&#62;"));
}

#[tokio::test]
async fn a_flood_of_looks_is_slowed_with_a_page_and_a_time() {
    let site = Site::new().await;
    let (path, _) = site.link().await;
    let mut slowed = None;
    for _ in 0..60 {
        let answer = site.get(&path, &[]).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            slowed = Some(answer);
        }
    }
    let slowed = slowed.expect("60 looks within a moment");
    assert!(slowed.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1));
    assert!(slowed.text().contains("Too many requests"));
}
