//! Every route of `[web]` and of the control socket, with the exact status that each kind of caller is
//! answered by an archive without instances. The test below walks the table, and looks for routes in
//! the sources that are not in it.

use super::dicomweb::uri;

/// Where a route is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    Web,
    Control,
}

/// One method of one route.
#[derive(Debug)]
pub struct Route {
    pub listener: Listener,
    pub method: &'static str,
    pub path: &'static str,
    /// A body to send.
    pub body: &'static str,
    /// The status for nobody, for loopback (on the control socket: for its owner), for a token without
    /// the scope, for one with it.
    pub status: [u16; 4],
}

impl Route {
    /// Whether a request says in its path or query which study it is about.
    pub fn names_a_study(&self) -> bool {
        self.path.contains("{study}") || self.path == uri::PATH
    }
    /// Its address for one instance, where it names one.
    pub fn filled(&self, study: &str, series: &str, instance: &str) -> String {
        if self.path == uri::PATH {
            return format!("{}?requestType=WADO&studyUID={study}&seriesUID={series}&objectUID={instance}", uri::PATH);
        }
        self.path
            .replace("{study}", study)
            .replace("{series}", series)
            .replace("{instance}", instance)
            .replace("{frames}", "1")
            .replace("{*path}", "7FE00010")
            .replace("{*file}", "app.js")
            .replace("{link}", "0123456789abcdef")
            .replace("{deletion}", "1")
            .replace("{token}", "01ARZ3NDEKTSV4RRFFQ69G5FAV")
    }
}

const fn web(method: &'static str, path: &'static str, status: [u16; 4]) -> Route {
    Route { listener: Listener::Web, method, path, body: "", status }
}

/// On the control socket there are two callers: somebody else's process, and ours.
const fn control(method: &'static str, path: &'static str, body: &'static str, status: [u16; 2]) -> Route {
    let [nobody, owner] = status;
    Route { listener: Listener::Control, method, path, body, status: [nobody, owner, nobody, nobody] }
}

const OPEN: [u16; 4] = [200, 200, 200, 200];
/// Open, but there is no viewer where none is configured.
const NO_VIEWER: [u16; 4] = [404, 404, 404, 404];
/// A search that finds nothing.
const SEARCH: [u16; 4] = [401, 204, 403, 204];
/// An upload without a Content-Type; neither token may write.
const UPLOAD: [u16; 4] = [401, 400, 403, 403];
/// Nobody deletes without a token that says so, not even on this machine.
const DELETE: [u16; 4] = [401, 401, 403, 403];
/// A resource that is not there.
const RETRIEVE: [u16; 4] = [401, 404, 403, 404];
/// Of nothing there are none.
const COUNT: [u16; 4] = [401, 200, 403, 200];

pub const ROUTES: &[Route] = &[
    web("GET", "/", OPEN),
    web("OPTIONS", "/", OPEN),
    web("GET", "/dicom-web/", OPEN),
    web("OPTIONS", "/dicom-web/", OPEN),
    web("GET", "/wado", RETRIEVE),
    web("GET", "/healthz", OPEN),
    web("GET", "/readyz", OPEN),
    web("GET", "/metrics", [401, 200, 403, 200]),
    web("GET", "/ohif", NO_VIEWER),
    web("GET", "/ohif/", NO_VIEWER),
    web("GET", "/ohif/app-config.js", NO_VIEWER),
    web("GET", "/ohif/{*file}", NO_VIEWER),
    web("GET", "/api/v1/openapi.json", OPEN),
    web("GET", "/api/v1/status", [401, 200, 403, 200]),
    web("GET", "/api/v1/links", [401, 200, 200, 403]),
    Route { body: r#"{"study":"1.2"}"#, ..web("POST", "/api/v1/links", [401, 404, 404, 403]) },
    web("GET", "/api/v1/links/{link}", [401, 404, 404, 403]),
    web("DELETE", "/api/v1/links/{link}", [401, 404, 404, 403]),
    Route { body: r#"{"expires":"30d"}"#, ..web("POST", "/api/v1/links/{link}/extend", [401, 404, 404, 403]) },
    web("GET", "/api/v1/changes", COUNT),
    web("GET", "/api/v1/studies/{study}/viewers", RETRIEVE),
    Route { body: "{}", ..web("POST", "/api/v1/studies/{study}/viewers", [401, 404, 403, 403]) },
    web("GET", "/api/v1/deletions", DELETE),
    web("POST", "/api/v1/deletions/{deletion}/restore", DELETE),
    web("GET", "/dicom-web/studies", SEARCH),
    web("POST", "/dicom-web/studies", UPLOAD),
    web("GET", "/dicom-web/series", SEARCH),
    web("GET", "/dicom-web/instances", SEARCH),
    web("GET", "/dicom-web/studies/{study}", RETRIEVE),
    web("POST", "/dicom-web/studies/{study}", UPLOAD),
    web("GET", "/dicom-web/studies/{study}/metadata", RETRIEVE),
    web("GET", "/dicom-web/studies/{study}/bootstrap", RETRIEVE),
    web("GET", "/dicom-web/studies/{study}/series", SEARCH),
    web("GET", "/dicom-web/studies/{study}/instances", SEARCH),
    web("GET", "/dicom-web/studies/{study}/series/{series}", RETRIEVE),
    web("GET", "/dicom-web/studies/{study}/series/{series}/metadata", RETRIEVE),
    web("GET", "/dicom-web/studies/{study}/series/{series}/instances", SEARCH),
    web("GET", "/dicom-web/studies/{study}/series/{series}/instances/{instance}", RETRIEVE),
    web("GET", "/dicom-web/studies/{study}/series/{series}/instances/{instance}/metadata", RETRIEVE),
    web("GET", "/dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frames}", RETRIEVE),
    web("GET", "/dicom-web/studies/{study}/series/{series}/instances/{instance}/bulkdata/{*path}", RETRIEVE),
    web("GET", "/dicom-web/studies/count", COUNT),
    web("GET", "/dicom-web/series/count", COUNT),
    web("GET", "/dicom-web/instances/count", COUNT),
    web("GET", "/dicom-web/studies/{study}/series/count", COUNT),
    web("GET", "/dicom-web/studies/{study}/instances/count", COUNT),
    web("GET", "/dicom-web/studies/{study}/series/{series}/instances/count", COUNT),
    web("GET", "/dicom-web/studies/{study}/bulkdata", RETRIEVE),
    web("GET", "/dicom-web/studies/{study}/pixeldata", RETRIEVE),
    web("GET", "/dicom-web/studies/{study}/series/{series}/bulkdata", RETRIEVE),
    web("GET", "/dicom-web/studies/{study}/series/{series}/pixeldata", RETRIEVE),
    web("GET", "/dicom-web/studies/{study}/series/{series}/instances/{instance}/bulkdata", RETRIEVE),
    web("GET", "/dicom-web/studies/{study}/series/{series}/instances/{instance}/pixeldata", RETRIEVE),
    web("DELETE", "/dicom-web/studies/{study}", DELETE),
    web("DELETE", "/dicom-web/studies/{study}/series/{series}", DELETE),
    web("DELETE", "/dicom-web/studies/{study}/series/{series}/instances/{instance}", DELETE),
    web("GET", "/dicom-web/studies/{study}/rendered", RETRIEVE),
    web("GET", "/dicom-web/studies/{study}/series/{series}/rendered", RETRIEVE),
    web("GET", "/dicom-web/studies/{study}/thumbnail", RETRIEVE),
    web("GET", "/dicom-web/studies/{study}/series/{series}/thumbnail", RETRIEVE),
    web("GET", "/dicom-web/studies/{study}/series/{series}/instances/{instance}/rendered", RETRIEVE),
    web("GET", "/dicom-web/studies/{study}/series/{series}/instances/{instance}/thumbnail", RETRIEVE),
    web("GET", "/dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frames}/rendered", RETRIEVE),
    web("GET", "/dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frames}/thumbnail", RETRIEVE),
    control("GET", "/healthz", "", [200, 200]),
    control("GET", "/readyz", "", [200, 200]),
    control("GET", "/metrics", "", [401, 200]),
    control("GET", "/api/v1/openapi.json", "", [200, 200]),
    control("GET", "/api/v1/status", "", [401, 200]),
    control("GET", "/api/v1/links", "", [401, 200]),
    control("POST", "/api/v1/links", r#"{"study":"1.2"}"#, [401, 404]),
    control("GET", "/api/v1/changes", "", [401, 200]),
    control("GET", "/api/v1/studies/{study}/viewers", "", [401, 404]),
    control("POST", "/api/v1/studies/{study}/viewers", "{}", [401, 404]),
    control("GET", "/api/v1/deletions", "", [401, 200]),
    control("POST", "/api/v1/deletions/{deletion}/restore", "", [401, 404]),
    control("GET", "/api/v1/tokens", "", [403, 200]),
    control("POST", "/api/v1/tokens", r#"{"name":"portal"}"#, [403, 201]),
    control("DELETE", "/api/v1/tokens/{token}", "", [403, 404]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::api;
    use crate::web::testing::{Client, Who};
    use std::path::Path;

    #[tokio::test]
    async fn every_route_answers_each_caller_as_the_table_says() {
        let client = Client::start().await;
        for route in ROUTES {
            let path = route.filled("1.2", "1.3", "1.4");
            let callers = match route.listener {
                Listener::Web => vec![Who::Nobody, Who::Loopback, Who::token("share"), Who::token("read")],
                Listener::Control => vec![Who::Stranger, Who::Owner],
            };
            for (who, expected) in callers.iter().zip(route.status) {
                let status = client.status(who, route.method, &path, route.body).await;
                assert_eq!(status, expected, "{} {} as {who:?}", route.method, route.path);
            }
            if route.method == "GET" && route.listener == Listener::Web {
                let [_, loopback, ..] = route.status;
                assert_eq!(client.status(&Who::Loopback, "HEAD", &path, "").await, loopback, "HEAD {}", route.path);
                // What describes itself does so to OPTIONS too.
                let described = ROUTES.iter().any(|other| other.path == route.path && other.method == "OPTIONS");
                let options = if described { 200 } else { 204 };
                assert_eq!(client.status(&Who::Nobody, "OPTIONS", &path, "").await, options, "OPTIONS {}", route.path);
                assert_eq!(client.status(&Who::Loopback, "PATCH", &path, "").await, 405, "PATCH {}", route.path);
            }
        }
        assert_eq!(client.status(&Who::Loopback, "GET", "/nothing/here", "").await, 404);
        assert_eq!(client.status(&Who::Loopback, "GET", "/api/v1/tokens", "").await, 404);
    }

    /// The templates that stand in `.route("...")` somewhere below `src/web`, patient pages aside.
    fn registered(dir: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "patient" {
                registered(&path, found);
            } else if name.ends_with(".rs") && !name.starts_with("patient") && name != "routes.rs" {
                let text = std::fs::read_to_string(&path).unwrap();
                let routes = text.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next());
                found.extend(routes.map(str::to_owned));
            }
        }
    }

    #[test]
    fn every_registered_route_is_in_the_table_and_in_the_api_document() {
        let mut found = Vec::new();
        registered(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web"), &mut found);
        assert!(found.len() > 15);
        for template in &found {
            let listed = ROUTES.iter().any(|route| route.path.ends_with(template.as_str()));
            assert!(listed, "{template} is not in the route table");
        }
        let document: serde_json::Value = serde_json::from_str(api::DOCUMENT).unwrap();
        for route in ROUTES {
            let path = route.path.replace("{*", "{");
            let operation = &document["paths"][&path][route.method.to_ascii_lowercase()];
            assert!(operation.is_object(), "{} {path} is not described", route.method);
        }
    }
}
