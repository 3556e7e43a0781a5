//! What ties OHIF's published build to the root of a host, and its configuration. The build names its
//! files by `/...`; we serve it below `/ohif/`, behind a proxy perhaps further below.

/// Ready for this server: the roots are taken from the address the browser itself used, so they are
/// right behind any proxy. Thumbnails and single parts are asked for in the form that costs least.
pub const CONFIGURATION: &str = include_str!("../assets/ohif-config.js");

/// The scripts' own addresses, and with what they find their folder.
const IN_SCRIPTS: [(&[u8], &[u8]); 3] = [
    // The public path as webpack writes it into each entry point. A page knows where it is served; a worker was
    // loaded from the same folder.
    (
        b"__webpack_require__.p = \"/\"",
        b"__webpack_require__.p = (self.PUBLIC_URL || self.location.href.replace(/[^\\/]*$/, \"\"))",
    ),
    // The slide viewer, which webpack does not know: `browserImportFunction('/dicom-microscopy-viewer/...')`. The
    // setting `peerImport` would take over the loading of everything else too.
    (b"browserImportFunction('/", b"browserImportFunction((self.PUBLIC_URL || '/') + '"),
    (b"browserImportFunction(\"/", b"browserImportFunction((self.PUBLIC_URL || '/') + \""),
];

/// The page with its addresses below `{prefix}/ohif/`, `window.PUBLIC_URL` among them.
pub fn placed(html: &str, prefix: &str) -> String {
    html.replace("=\"/", &format!("=\"{prefix}/ohif/"))
}

/// A file of the build's top folder with its addresses taken from the page or relative to itself; `None` where it
/// stays as it is.
pub fn at_home(name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    match name.rsplit('.').next() {
        Some("js") => IN_SCRIPTS.iter().fold(None, |placed: Option<Vec<u8>>, (what, with)| {
            replaced(placed.as_deref().unwrap_or(bytes), what, with).or(placed)
        }),
        Some("css") if !name.contains('/') => replaced(bytes, b"url(/", b"url("),
        Some("json") if name == "manifest.json" => replaced(bytes, b": \"/", b": \"./"),
        _ => None,
    }
}

/// `None` where there is nothing to replace.
fn replaced(bytes: &[u8], what: &[u8], with: &[u8]) -> Option<Vec<u8>> {
    let mut placed: Option<Vec<u8>> = None;
    let mut kept = 0;
    for at in memchr::memmem::find_iter(bytes, what) {
        let out = placed.get_or_insert_with(|| Vec::with_capacity(bytes.len() + 256));
        out.extend_from_slice(bytes.get(kept..at).unwrap_or_default());
        out.extend_from_slice(with);
        kept = at + what.len();
    }
    let mut out = placed?;
    out.extend_from_slice(bytes.get(kept..).unwrap_or_default());
    Some(out)
}
