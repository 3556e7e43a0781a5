//! The scripts and styles that OHIF's page loads before it shows anything.

use super::ask::Daemon;
use bytes::Bytes;
use hyper::Method;

/// One file, and the Content-Type without which a browser refuses it (nosniff).
pub struct File {
    pub target: String,
    pub media_type: &'static str,
}

/// Those below the address that the page was asked at; of the others the page's own check tells.
pub async fn files(daemon: &Daemon) -> Vec<File> {
    let Ok(answer) = daemon.ask(Method::GET, "/ohif/", &[], Bytes::new()).await else { return Vec::new() };
    let behind = |path: &str| path.strip_prefix(daemon.prefix()).map(str::to_owned);
    let files = named(&String::from_utf8_lossy(&answer.body)).into_iter();
    files.filter_map(|(path, media_type)| Some(File { target: behind(&path)?, media_type })).collect()
}

/// The scripts and styles of a page by their addresses on this host.
pub fn named(html: &str) -> Vec<(String, &'static str)> {
    let quoted = html.split(['"', '\'']).filter(|text| text.starts_with('/'));
    let typed = quoted.filter_map(|text| match text.rsplit('.').next() {
        Some("js") => Some((text.to_owned(), "text/javascript")),
        Some("css") => Some((text.to_owned(), "text/css")),
        _ => None,
    });
    typed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_and_styles_are_found_in_the_page() {
        let html = r#"<script>window.PUBLIC_URL="/bb/ohif/"</script><link rel="icon" href="/bb/ohif/a.png">
                      <script defer src="/bb/ohif/app.js"></script><link href="/bb/ohif/app.css" rel="stylesheet">"#;
        let found = named(html);
        assert_eq!(
            found,
            [("/bb/ohif/app.js".to_owned(), "text/javascript"), ("/bb/ohif/app.css".to_owned(), "text/css")]
        );
    }
}
