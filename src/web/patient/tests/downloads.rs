//! The blue button's link: whole, in parts, and over when the link is.

use super::*;
use futures_util::StreamExt;

/// A verified reader of a link to a real study: where the blue button leads, the cookie, the link's id.
async fn button(site: &Site) -> (String, String, String) {
    let study = site.phantom().await;
    let granted = site.house.grant(Whose::Study(study), Some(config::Verify::BirthDate)).await.unwrap();
    let cookie = site.post(&format!("/v/{}", token_of(&granted)), &[], RIGHT).await.cookie();
    let page = site.get("/my", &[("cookie", &cookie)]).await.text();
    let first_link = page.split("<a ").nth(1).expect("a link");
    let href = first_link.split("href=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
    assert!(href.starts_with("/d/") && href.ends_with("/images.zip"), "the blue button is the first link: {href}");
    (href, cookie, granted.id)
}

#[tokio::test]
async fn the_button_sends_the_package_whole_or_from_where_it_stopped() {
    let site = Site::new().await;
    let (href, _, id) = button(&site).await;
    let whole = site.get(&href, &[]).await;
    assert_eq!(whole.status, StatusCode::OK);
    assert_eq!(whole.header("content-length"), whole.bytes.len().to_string());
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert_eq!(whole.header("cache-control"), "private, no-transform");
    assert_eq!(whole.header("content-type"), "application/zip");
    let name = whole.header("content-disposition");
    assert!(name.starts_with("attachment; filename=\"images-20") && name.ends_with(".zip\""), "{name}");
    assert!(whole.bytes.starts_with(b"PK\x03\x04"));
    let (etag, length) = (whole.header("etag").to_owned(), whole.bytes.len());

    let part = site.get(&href, &[("range", "bytes=1000-"), ("if-range", &etag)]).await;
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.bytes, whole.bytes[1000..]);
    assert_eq!(part.header("content-range"), format!("bytes 1000-{}/{length}", length - 1));
    let other = site.get(&href, &[("range", "bytes=1000-"), ("if-range", "\"other\"")]).await;
    assert_eq!((other.status, other.bytes.len()), (StatusCode::OK, length));
    let beyond = site.get(&href, &[("range", &format!("bytes={length}-"))]).await;
    assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(beyond.header("content-range"), format!("bytes */{length}"));
    let head = site.send(Method::HEAD, &href, &[], "").await;
    assert_eq!((head.status, head.header("content-length")), (StatusCode::OK, length.to_string().as_str()));

    let downloads = site.house.events().await.iter().filter(|kind| *kind == "downloaded").count();
    assert_eq!(downloads, 1, "one row however many ranges");
    assert_eq!(site.house.index.link_by_id(&id).await.unwrap().unwrap().downloads, 1);
}

#[tokio::test]
async fn pictures_are_for_the_verified_reader_only() {
    let site = Site::new().await;
    let (_, cookie, _) = button(&site).await;
    let page = site.get("/my", &[("cookie", &cookie)]).await.text();
    let src = page.split("<img src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a picture").to_owned();
    let picture = site.get(&src, &[("cookie", &cookie)]).await;
    assert_eq!((picture.status, picture.header("content-type")), (StatusCode::OK, "image/jpeg"));
    assert!(picture.bytes.starts_with(&[0xFF, 0xD8]));
    assert_eq!(site.get(&src, &[]).await.status, StatusCode::FORBIDDEN);
    let unknown = "/my/00000000000000000000000000000000.jpg";
    assert_eq!(site.get(unknown, &[("cookie", &cookie)]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn revocation_ends_a_download_in_the_middle() {
    let site = Site::new().await;
    let (href, cookie, id) = button(&site).await;
    let remote: SocketAddr = "192.0.2.7:50000".parse().unwrap();
    let request = Request::builder().uri(&href).header("host", "127.0.0.1:8081");
    let request = request.extension(Peer::Tcp { remote, local: remote }).body(Body::empty()).unwrap();
    let mut body = site.router.clone().oneshot(request).await.unwrap().into_body().into_data_stream();
    assert!(body.next().await.unwrap().is_ok(), "it runs");
    site.house.access.revoke(&id, crate::audit::Actor::Operator).await.unwrap();
    assert!(body.next().await.unwrap().is_err(), "broken off, so that it does not look complete");
    assert!(body.next().await.is_none());
    assert_eq!(site.get(&href, &[]).await.status, StatusCode::GONE);
    assert_eq!(site.get("/my", &[("cookie", &cookie)]).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_third_download_at_once_and_the_sixth_of_a_week_are_told_to_wait() {
    let site = Site::new().await;
    let (href, _, id) = button(&site).await;
    let open = || async {
        let remote: SocketAddr = "192.0.2.7:50000".parse().unwrap();
        let request = Request::builder().uri(&href).header("host", "127.0.0.1:8081");
        let request = request.extension(Peer::Tcp { remote, local: remote }).body(Body::empty()).unwrap();
        site.router.clone().oneshot(request).await.unwrap()
    };
    let (one, two) = (open().await, open().await);
    assert_eq!((one.status(), two.status()), (StatusCode::OK, StatusCode::OK));
    let third = open().await;
    assert_eq!(third.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(third.headers().contains_key(header::RETRY_AFTER));
    drop((one, two));

    let row = site.house.index.link_by_id(&id).await.unwrap().unwrap();
    let used = |row: &mut crate::index::links::LinkRow| {
        (row.week_began_at_ms, row.week_bytes) = (row.granted_at_ms, u64::from(u32::MAX));
        ((), Vec::new())
    };
    site.house.index.change_link(&row.lid_sha256, used).await.unwrap();
    let much = site.get(&href, &[]).await;
    assert_eq!(much.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(much.text().contains("several times this week"), "a page, not a lock");
    site.house.clock.advance(std::time::Duration::from_hours(7 * 24));
    let cookie_is_over = site.get(&href, &[]).await;
    assert_eq!(cookie_is_over.status, StatusCode::GONE, "the ticket's day is over too");
}

#[tokio::test]
async fn a_forged_ticket_is_gone() {
    let site = Site::new().await;
    let (href, _, _) = button(&site).await;
    for forged in ["/d/forged/images.zip".to_owned(), href.replacen("/d/A", "/d/B", 1), "/d/%FF/images.zip".to_owned()]
    {
        let answer = site.get(&forged, &[]).await;
        assert!(matches!(answer.status.as_u16(), 400 | 410), "{forged}: {}", answer.status);
    }
}
