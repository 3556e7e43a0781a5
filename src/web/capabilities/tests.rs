use crate::web::routes::{Listener, ROUTES};
use crate::web::testing::{Client, Who, text};

#[tokio::test]
async fn both_roots_describe_themselves_as_what_is_asked_for() {
    let client = Client::start().await;
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for root in ["/", "/dicom-web/"] {
        for (accept, expected) in [
            ("*/*", "application/vnd.sun.wadl+xml"),
            ("application/vnd.sun.wadl+xml", "application/vnd.sun.wadl+xml"),
            ("application/json", "application/json"),
            ("application/vnd.oai.openapi+json", "application/vnd.oai.openapi+json"),
            (browser, "text/html; charset=utf-8"),
        ] {
            for method in ["GET", "OPTIONS"] {
                let answer = client.ask(&Who::Nobody, method, root, &[("accept", accept)], "").await;
                assert_eq!(answer.status(), 200, "{method} {root}");
                assert_eq!(text(answer.headers(), "content-type"), expected, "{method} {root}");
            }
        }
        assert_eq!(client.get(root, &[("accept", "image/png")]).await.status(), 406);
        let etag = text(client.get(root, &[]).await.headers(), "etag");
        assert_eq!(client.get(root, &[("if-none-match", &etag)]).await.status(), 304);
        // A page of another origin asks by OPTIONS what it may, and is answered as everywhere.
        let preflight = [("origin", "https://x.example"), ("access-control-request-method", "GET")];
        assert_eq!(client.ask(&Who::Nobody, "OPTIONS", root, &preflight, "").await.status(), 403);
    }
}

#[tokio::test]
async fn the_wadl_lists_every_route_with_its_methods() {
    let client = Client::start().await;
    for root in ["", "/dicom-web"] {
        let answer = client.get(&format!("{root}/"), &[]).await;
        let wadl = String::from_utf8(answer.body().to_vec()).unwrap();
        assert!(wadl.contains(&format!("<resources base=\"http://localhost:8080{root}/\">")), "{root}");
        for route in ROUTES.iter().filter(|route| route.listener == Listener::Web) {
            let Some(path) = route.path.strip_prefix(root).and_then(|path| path.strip_prefix('/')) else { continue };
            let head = format!("<resource path=\"{}\">", path.replace("{*", "{"));
            let resource = wadl.split(&head).nth(1).unwrap_or_else(|| panic!("{head} is missing"));
            let resource = resource.split("</resource>").next().unwrap();
            assert!(resource.contains(&format!("<method name=\"{}\">", route.method)), "{} {head}", route.method);
        }
        for opened in ["application", "resources", "resource", "method", "request", "response"] {
            let count = |what: &str| wadl.matches(what).count();
            let opening = count(&format!("<{opened}>")) + count(&format!("<{opened} "));
            assert_eq!(opening, count(&format!("</{opened}>")), "{opened}");
        }
    }
}
