//! The one place that holds a caller to their restriction. It stands before every handler: a route that
//! names a study is answered as if other studies were not there; a route that names none is closed, but
//! for searches, which carry the restriction with them, and for what tells nothing about a patient. So a
//! route that somebody adds is closed until it is thought of.

use super::Web;
use super::caller::Caller;
use super::dicomweb::uri;
use super::problem::Problem;
use crate::domain::uid::StudyInstanceUid;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};

/// GET of these is for everybody, or honours `Query::only`.
const OPEN: &[&str] = &[
    "/",
    "/dicom-web/",
    "/healthz",
    "/readyz",
    "/api/v1/openapi.json",
    "/ohif",
    "/ohif/",
    "/ohif/app-config.js",
    "/ohif/{*file}",
    "/dicom-web/studies",
    "/dicom-web/series",
    "/dicom-web/instances",
    "/dicom-web/studies/count",
    "/dicom-web/series/count",
    "/dicom-web/instances/count",
    "/api/v1/changes",
];

/// POST to these is held to the restriction instance by instance (`archive::Offer::only`).
const STORES: &[&str] = &["/dicom-web/studies", "/dicom-web/studies/{study}"];

/// `Ok` for what this caller may ask; handlers still ask for the scope.
pub(super) async fn check(web: &Web, caller: &Caller, request: &Parts) -> Result<(), Problem> {
    let Some(only) = &caller.restriction else { return Ok(()) };
    let Some(route) = request.extensions.get::<MatchedPath>() else { return Ok(()) };
    let mut parts = request.clone();
    let named = RawPathParams::from_request_parts(&mut parts, &()).await.ok();
    let in_path = named.as_ref().and_then(|named| named.iter().find(|(name, _)| *name == "study"));
    let stores = request.method == Method::POST && STORES.contains(&route.as_str());
    let study = match in_path {
        Some((_, study)) => StudyInstanceUid::parse(study).ok(),
        None if route.as_str() == uri::PATH => uri::study_of(request.uri.query()),
        None if stores => return Ok(()),
        None => {
            let reads = matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS);
            return if reads && OPEN.contains(&route.as_str()) { Ok(()) } else { Err(closed()) };
        }
    };
    // What is no UID names nothing, and the handler says so.
    let Some(study) = study else { return Ok(()) };
    match web.archive.shows(only, &study).await? {
        true => Ok(()),
        // A study of their own may begin; whether it is theirs, each instance says.
        false if stores && only.may_admit(&study) && web.archive.study(&study).await?.is_none() => Ok(()),
        false => Err(Problem::not_found("There is no such study.")),
    }
}

fn closed() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "This caller is restricted to a patient or to studies, and this resource is not: name a study in the path.",
    )
}

#[cfg(test)]
mod tests {
    use crate::domain::phi::Phi;
    use crate::domain::restriction::{Patient, Restriction};
    use crate::domain::uid::StudyInstanceUid;
    use crate::web::caller::{Caller, Kind, Scopes};
    use crate::web::routes::{Listener, ROUTES};
    use crate::web::testing::{Client, Dataset, Who};

    fn restricted(only: Restriction) -> Who {
        Who::Given(Caller::new(Kind::Loopback, Scopes::ALL).restricted_to(Some(only)))
    }
    fn patient(id: &str, issuer: Option<&str>) -> Restriction {
        let issuer = issuer.map(|issuer| Phi::new(issuer.to_owned()));
        Restriction { patient: Some(Patient { id: Phi::new(id.to_owned()), issuer }), studies: None }
    }
    fn study(uid: &str) -> Restriction {
        Restriction::to_studies([StudyInstanceUid::parse(uid).unwrap()])
    }

    /// An image of patient `id` in study `1.2.<id>`.
    async fn archive() -> Client {
        let client = Client::start().await;
        client.store(&Dataset::of_patient(1, "A")).await;
        client.store(&Dataset::of_patient(2, "B")).await;
        client.store(&Dataset::of_patient(3, "a")).await;
        client
    }

    #[tokio::test]
    async fn no_route_answers_for_what_lies_outside() {
        let client = archive().await;
        for only in [study("1.2.1"), patient("A", None)] {
            let who = restricted(only);
            for route in ROUTES.iter().filter(|route| route.listener == Listener::Web) {
                let path = |n: u8| route.filled(&format!("1.2.{n}"), &format!("1.3.{n}"), &format!("1.4.{n}"));
                if route.names_a_study() {
                    for outside in [2, 3] {
                        let status = client.status(&who, route.method, &path(outside), route.body).await;
                        assert_eq!(status, 404, "{} {}", route.method, route.path);
                    }
                    if route.method == "GET" {
                        let status = client.status(&who, route.method, &path(1), route.body).await;
                        assert!(![401, 403, 404].contains(&status), "{status} {} {}", route.method, route.path);
                    }
                } else if (route.method, route.path) == ("POST", "/dicom-web/studies") {
                    let status = client.status(&who, route.method, &path(1), route.body).await;
                    assert_eq!(status, 400, "held to the restriction by its instances");
                } else if !(["GET", "OPTIONS"].contains(&route.method) && super::OPEN.contains(&route.path)) {
                    let status = client.status(&who, route.method, &path(1), route.body).await;
                    assert_eq!(status, 403, "{} {}", route.method, route.path);
                }
            }
        }
    }

    #[tokio::test]
    async fn searches_find_what_is_inside_and_nothing_else() {
        let client = archive().await;
        let cases: [(Restriction, &[&str]); 7] = [
            (study("1.2.1"), &["1.2.1"]),
            (Restriction::to_studies([]), &[]),
            (patient("A", None), &["1.2.1"]),
            (patient("", None), &[]),
            (patient("*", None), &[]),
            (patient("A", Some("ELSEWHERE")), &[]),
            (Restriction { patient: patient("A", None).patient, ..study("1.2.2") }, &[]),
        ];
        for (only, expected) in cases {
            let who = restricted(only.clone());
            for level in ["studies", "series", "instances"] {
                for query in [
                    "",
                    "?PatientID=*",
                    "?PatientID=B",
                    "?StudyInstanceUID=1.2.1,1.2.2",
                    "?PatientName=*&fuzzymatching=true",
                    "?SOPInstanceUID=1.4.2",
                    "?Modality=CT",
                ] {
                    let counted = client.count(&who, &format!("/dicom-web/{level}/count{query}")).await;
                    let found = client.studies_found(&who, &format!("/dicom-web/{level}{query}")).await;
                    assert!(
                        found.iter().all(|uid| expected.contains(&uid.as_str())),
                        "{only:?} {level}{query}: {found:?}"
                    );
                    assert_eq!(counted, found.len() as u64, "{only:?} {level}{query}");
                    if query.is_empty() {
                        assert_eq!(found.len(), expected.len(), "{only:?} {level}");
                    }
                }
            }
        }
    }
}
