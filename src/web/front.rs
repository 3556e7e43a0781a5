//! What is done to a request before its route is looked for, and to an answer after all: base URLs are written
//! with a slash too many or too few, and clients put theirs behind it. The path is brought into its plain form
//! here, so that it meets the route, the gate and the restriction of that form and there is no second way in.

use axum::Router;
use axum::extract::Request;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, Method, Uri, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;

/// `router` behind its front.
pub fn front(router: Router) -> Router {
    Router::new().fallback_service(router).layer(from_fn(pass))
}

async fn pass(mut request: Request, next: Next) -> Response {
    if let Some(uri) = plain(request.method(), request.uri()) {
        *request.uri_mut() = uri;
    }
    let mut response = next.run(request).await;
    allow_options(&mut response);
    response
}

/// `None` where the path is plain already, and for what is not DICOMweb or WADO-URI.
fn plain(method: &Method, uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let plain = match path.strip_prefix("/dicom-web") {
        Some("") => "/dicom-web/".to_owned(),
        Some(below) if below.starts_with('/') => {
            let below = below.trim_start_matches('/');
            // An empty name at the end may be a UID that was lost: nothing is deleted by a guess.
            let whole = if *method == Method::DELETE { below } else { below.strip_suffix('/').unwrap_or(below) };
            format!("/dicom-web/{whole}")
        }
        _ if path == "/wado/" => "/wado".to_owned(),
        _ => return None,
    };
    if plain == path {
        return None;
    }
    let target = match uri.query() {
        Some(query) => format!("{plain}?{query}"),
        None => plain,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
    Uri::from_parts(parts).ok()
}

/// Every resource answers OPTIONS; routes list only what they have handlers for.
fn allow_options(response: &mut Response) {
    let Some(allow) = response.headers().get(header::ALLOW).and_then(|allow| allow.to_str().ok()) else { return };
    if !allow.is_empty()
        && !allow.split(',').any(|method| method.trim() == "OPTIONS")
        && let Ok(allow) = HeaderValue::from_str(&format!("{allow},OPTIONS"))
    {
        response.headers_mut().insert(header::ALLOW, allow);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::restriction::Restriction;
    use crate::domain::uid::StudyInstanceUid;
    use crate::web::caller::{Caller, Kind, Scopes};
    use crate::web::routes::{Listener, ROUTES};
    use crate::web::testing::{Client, Dataset, Who, text};

    #[test]
    fn only_slashes_of_a_base_url_are_too_many() {
        let get = |text: &str| plain(&Method::GET, &text.parse().unwrap()).map(|uri| uri.to_string());
        for (asked, expected) in [
            ("/dicom-web", Some("/dicom-web/")),
            ("/dicom-web?accept=x", Some("/dicom-web/?accept=x")),
            ("/dicom-web/", None),
            ("/dicom-web//", Some("/dicom-web/")),
            ("/dicom-web//studies?a=//b/", Some("/dicom-web/studies?a=//b/")),
            ("/dicom-web/studies/", Some("/dicom-web/studies")),
            ("//dicom-web/studies", None),
            ("/dicom-web/studies//", Some("/dicom-web/studies/")),
            ("/dicom-web/studies//series", None),
            ("/dicom-web/studies/1.2%2F", None),
            ("/dicom-webs/", None),
            ("/wado/?studyUID=1", Some("/wado?studyUID=1")),
            ("/wado//", None),
            ("/api/v1/links/", None),
            ("/ohif//x/", None),
            ("http://host/dicom-web//studies", Some("http://host/dicom-web/studies")),
            ("*", None),
        ] {
            assert_eq!(get(asked).as_deref(), expected, "{asked}");
        }
        let delete = |text: &str| plain(&Method::DELETE, &text.parse().unwrap()).map(|uri| uri.to_string());
        assert_eq!(delete("/dicom-web/studies/1.2/"), None);
        assert_eq!(delete("/dicom-web//studies/1.2"), Some("/dicom-web/studies/1.2".into()));
    }

    /// Every route of DICOMweb, written with a slash too many, answers every kind of caller as it does without.
    #[tokio::test]
    async fn a_path_with_slashes_of_a_base_url_is_its_plain_form_to_the_gate_too() {
        let client = Client::start().await;
        client.store(&Dataset::of_patient(1, "A")).await;
        client.store(&Dataset::of_patient(2, "B")).await;
        let only = Restriction::to_studies([StudyInstanceUid::parse("1.2.1").unwrap()]);
        let restricted = Who::Given(Caller::new(Kind::Loopback, Scopes::ALL).restricted_to(Some(only)));
        let callers = [Who::Nobody, Who::Loopback, Who::token("share"), Who::token("read"), restricted];
        let routes = ROUTES.iter().filter(|route| route.listener == Listener::Web && route.method != "DELETE");
        for route in routes.filter(|route| route.path.starts_with("/dicom-web/") || route.path == "/wado") {
            let path = route.filled("1.2.2", "1.3.2", "1.4.2");
            let (name, query) = path.split_once('?').map_or((path.as_str(), ""), |(name, query)| (name, query));
            let query = if query.is_empty() { String::new() } else { format!("?{query}") };
            let slashed = [format!("{name}/{query}"), path.replacen("/dicom-web/", "/dicom-web//", 1)];
            for who in &callers {
                let expected = client.ask(who, route.method, &path, &[], route.body).await;
                for other in &slashed {
                    let found = client.ask(who, route.method, other, &[], route.body).await;
                    assert_eq!(found.status(), expected.status(), "{} {other} as {who:?}", route.method);
                    if found.status().is_success() {
                        assert_eq!(found.body(), expected.body(), "{other}");
                    }
                }
            }
        }
        assert_eq!(client.status(&Who::token("delete"), "DELETE", "/dicom-web/studies/1.2.2/", "").await, 404);
        assert_eq!(
            client.status(&Who::Loopback, "GET", "/dicom-web/studies/1.2.2", "").await,
            200,
            "it is still there"
        );
    }

    #[tokio::test]
    async fn allow_names_options_as_well() {
        let client = Client::start().await;
        for (path, allow) in [
            ("/dicom-web/studies", "GET,HEAD,POST,OPTIONS"),
            ("/dicom-web/", "GET,HEAD,OPTIONS"),
            ("/api/v1/links", "GET,HEAD,POST,OPTIONS"),
            ("/wado", "GET,HEAD,OPTIONS"),
        ] {
            let answer = client.ask(&Who::Nobody, "OPTIONS", path, &[], "").await;
            assert_eq!(text(answer.headers(), "allow"), allow, "{path}");
            let refused = client.ask(&Who::Loopback, "PATCH", path, &[], "").await;
            assert_eq!((refused.status().as_u16(), text(refused.headers(), "allow").as_str()), (405, allow), "{path}");
        }
    }
}
