//! The blue button's link: whole, in parts, and over when the link is.

use super::*;

#[tokio::test]
async fn a_ticket_of_a_revoked_link_is_gone() {
    let site = Site::new().await;
    let (path, id) = site.link().await;
    let cookie = site.post(&path, &[], RIGHT).await.cookie();
    let visit = cookie.strip_prefix("bb=").unwrap();
    let visit = site.house.access.visit(visit).await.unwrap().unwrap();
    let ticket = site.house.access.ticket(&visit.session, Some(&visit.studies[0].study), "etag").unwrap();
    assert!(site.house.access.open_ticket(&ticket).await.unwrap().is_some());
    site.house.access.revoke(&id, crate::audit::Actor::Operator).await.unwrap();
    let gone = site.get(&format!("/d/{ticket}/images.zip"), &[]).await;
    assert_eq!(gone.status, StatusCode::GONE);
    assert!(gone.text().contains("not available any more"));
    assert_eq!(site.get("/d/forged/images.zip", &[]).await.status, StatusCode::GONE);
}
