use super::page;
use crate::config;
use crate::web::testing::{Client, Who};
use std::fs;

const PAGE: &str = "<script>window.PUBLIC_URL=\"/\"</script><script src=\"/app-config.js\"></script>\
                    <script defer src=\"/app.bundle.0f6159c501addfe9.js\"></script>";
const SCRIPT: &str = "a;__webpack_require__.p = \"/\";b";

async fn with_viewer() -> (Client, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("index.html"), PAGE).unwrap();
    fs::write(folder.path().join("app.bundle.0f6159c501addfe9.js"), SCRIPT).unwrap();
    fs::create_dir(folder.path().join("assets")).unwrap();
    fs::write(folder.path().join("assets/icon.png"), b"\x89PNG").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", folder.path().join("out.txt")).unwrap();
    let config = config::Web { ohif_dir: Some(folder.path().to_path_buf()), ..Default::default() };
    (Client::with(config).await, folder)
}

#[tokio::test]
async fn the_page_is_at_home_below_its_prefix() {
    let (client, _folder) = with_viewer().await;
    for path in ["/ohif/", "/ohif/viewer?StudyInstanceUIDs=1.2", "/ohif/index.html", "/ohif/segmentation/deep"] {
        let answer = client.get(path, &[]).await;
        assert_eq!(answer.status(), 200, "{path}");
        let html = String::from_utf8(answer.body().to_vec()).unwrap();
        assert!(
            html.contains("window.PUBLIC_URL=\"/ohif/\"") && html.contains("src=\"/ohif/app-config.js\""),
            "{html}"
        );
        for (name, value) in [
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-embedder-policy", "require-corp"),
            ("cross-origin-resource-policy", "same-site"),
        ] {
            assert_eq!(answer.headers()[name], value, "{path}");
        }
    }
    assert!(page::placed(PAGE, "/bb").contains("PUBLIC_URL=\"/bb/ohif/\""));
    let answer = client.get("/ohif", &[]).await;
    assert_eq!((answer.status().as_u16(), &answer.headers()["location"]), (301, &"/ohif/".parse().unwrap()));
}

#[tokio::test]
async fn a_script_knows_its_folder_and_is_sent_compressed() {
    let (client, _folder) = with_viewer().await;
    let path = "/ohif/app.bundle.0f6159c501addfe9.js";
    let plain = client.get(path, &[]).await;
    let text = String::from_utf8(plain.body().to_vec()).unwrap();
    assert!(text.starts_with("a;__webpack_require__.p = (self.PUBLIC_URL || ") && text.ends_with(";b"), "{text}");
    assert_eq!(plain.headers()["content-length"], text.len().to_string().as_str());
    assert_eq!(plain.headers()["cache-control"], "no-cache", "a later release may write it otherwise");
    for _ in 0..2 {
        let packed = client.get(path, &[("accept-encoding", "br, gzip")]).await;
        assert_eq!(packed.headers()["content-encoding"], "gzip");
        let mut unpacked = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&packed.body()[..]), &mut unpacked).unwrap();
        assert_eq!(unpacked, text);
        let etag = packed.headers()["etag"].to_str().unwrap();
        let again = client.get(path, &[("accept-encoding", "gzip"), ("if-none-match", etag)]).await;
        assert_eq!((again.status().as_u16(), again.body().len()), (304, 0));
    }
    assert!(!client.get(path, &[("accept-encoding", "gzip;q=0")]).await.headers().contains_key("content-encoding"));
}

/// `cp` and `npm pack` leave the time of modification as the archive says it, the same for every file.
#[tokio::test]
async fn a_build_unpacked_over_another_is_served_at_once() {
    let (client, folder) = with_viewer().await;
    let path = folder.path().join("init.js");
    let ask = async |etag: &str| {
        let answer = client.get("/ohif/init.js", &[("accept-encoding", "gzip"), ("if-none-match", etag)]).await;
        let mut text = String::new();
        let _ = std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&answer.body()[..]), &mut text);
        (answer.status().as_u16(), text, answer.headers()["etag"].to_str().unwrap().to_owned())
    };
    let unpack = |text: &str| {
        fs::write(&path, text).unwrap();
        let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(499_162_500);
        fs::File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
    };
    unpack("old;");
    let (status, text, etag) = ask("").await;
    assert_eq!((status, text.as_str()), (200, "old;"));
    assert_eq!(ask(&etag).await.0, 304);
    unpack("new;");
    let (status, text, etag) = ask(&etag).await;
    assert_eq!((status, text.as_str()), (200, "new;"));
    fs::remove_file(&path).unwrap();
    assert_eq!(
        client.get("/ohif/init.js", &[("accept-encoding", "gzip"), ("if-none-match", &etag)]).await.status(),
        404
    );
}

#[test]
fn what_the_build_names_by_the_root_of_its_host_is_found_beside_it() {
    let cases: [(&str, &str, &str); 7] = [
        (
            "app.bundle.00.js",
            "window.browserImportFunction('/dicom-microscopy-viewer/a.min.js');",
            "window.browserImportFunction((self.PUBLIC_URL || '/') + 'dicom-microscopy-viewer/a.min.js');",
        ),
        ("a.js", "browserImportFunction(\"/d/a.js\")", "browserImportFunction((self.PUBLIC_URL || '/') + \"d/a.js\")"),
        ("a.js", "browserImportFunction('itk-wasm')", "browserImportFunction('itk-wasm')"),
        ("app.css", "a{src:url(/f.woff2)}b{src:url(data:x)}", "a{src:url(f.woff2)}b{src:url(data:x)}"),
        ("deep/app.css", "url(/f)", "url(/f)"),
        ("manifest.json", r#"{"start_url": "/","src": "/a.png"}"#, r#"{"start_url": "./","src": "./a.png"}"#),
        ("other.json", r#"{"a": "/b"}"#, r#"{"a": "/b"}"#),
    ];
    for (name, before, after) in cases {
        let placed = page::at_home(name, before.as_bytes());
        assert_eq!(placed.is_some(), before != after, "{name}");
        assert_eq!(placed.as_deref().unwrap_or(before.as_bytes()), after.as_bytes(), "{name}");
    }
}

#[tokio::test]
async fn nothing_outside_the_folder_is_served() {
    let (client, folder) = with_viewer().await;
    assert_eq!(client.get("/ohif/assets/icon.png", &[]).await.headers()["content-type"], "image/png");
    fs::write(folder.path().join("34b1e6b1deb5828e.wasm"), vec![7; 200_000]).unwrap();
    let built = client.get("/ohif/34b1e6b1deb5828e.wasm", &[]).await;
    assert_eq!(built.body(), &vec![7; 200_000]);
    assert!(built.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    fs::write(folder.path().parent().unwrap().join("beside.txt"), "secret").unwrap();
    for path in [
        "/ohif/../beside.txt",
        "/ohif/%2e%2e/beside.txt",
        "/ohif/..%2fbeside.txt",
        "/ohif//etc/hostname.txt",
        "/ohif/%2fetc%2fhostname.x",
        "/ohif/out.txt",
        "/ohif/no.such.js",
        "/ohif/assets/no%00.png",
    ] {
        assert_eq!(client.get(path, &[]).await.status(), 404, "{path}");
    }
    let _ = fs::remove_file(folder.path().parent().unwrap().join("beside.txt"));
}

#[tokio::test]
async fn without_a_folder_there_is_no_viewer() {
    let client = Client::start().await;
    for path in ["/ohif", "/ohif/", "/ohif/app-config.js", "/ohif/x.js"] {
        assert_eq!(client.status(&Who::Loopback, "GET", path, "").await, 404, "{path}");
    }
}
