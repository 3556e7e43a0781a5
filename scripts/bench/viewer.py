"""How long OHIF takes from the click on a study to its first image, each server behind the same nginx.

  viewer.py OHIF_FOLDER servers/orthanc.sh servers/bluebridge.sh [--slices 1000] [--rounds 3] [--mesa | --cpu] [--out FILE]

OHIF_FOLDER is what scripts/ohif unpacked. Needs nginx, chromium, chromedriver and selenium. Every server
gets the same OHIF with the same configuration at the same path; only the server behind /dicom-web differs.
Each round opens a study that was never opened before, and the same study once more.

On a machine without a graphics card WebGL is emulated, and OHIF spends most of its time on making its seven contexts,
whatever the server. Chromium's own emulation (SwiftShader) is the default; with --mesa it is Mesa's llvmpipe (needs
libegl1, libgles2 and libgl1-mesa-dri); with --cpu OHIF is told to draw by itself (useCPURendering).
"""
from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import dimse
from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait
from server import Server

CONFIG = Path(__file__).parents[2] / "src" / "web" / "assets" / "ohif-config.js"
NGINX = """
pid {run}/pid; error_log {run}/error.log; worker_processes 1; daemon off;
events {{ worker_connections 256; }}
http {{
  include /etc/nginx/mime.types; access_log {run}/access.log; client_body_temp_path {run}/body;
  proxy_temp_path {run}/proxy; fastcgi_temp_path {run}/f; uwsgi_temp_path {run}/u; scgi_temp_path {run}/s;
  upstream dicomweb {{ server {upstream}; keepalive 16; }}
  server {{
    listen 127.0.0.1:{port};
    add_header Cross-Origin-Opener-Policy same-origin; add_header Cross-Origin-Embedder-Policy require-corp;
    location /dicom-web/ {{ proxy_pass http://dicomweb; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $http_host; proxy_buffering off; }}
    location = /app-config.js {{ alias {config}; }}
    location / {{ root {ohif}; try_files $uri /index.html; }}
  }}
}}
"""
# The page is told of every rendered image before it starts; only the first after the click counts.
LISTEN = """
window.rendered = [];
document.addEventListener('CORNERSTONE_IMAGE_RENDERED', e => window.rendered.push(performance.now()), true);
document.addEventListener('click', () => { window.clicked = performance.now(); window.rendered.length = 0; }, true);
"""
# Found and clicked in one step: the list is drawn anew while it fills.
CLICK = """
const found = [...document.querySelectorAll(arguments[0])].find(e => e.innerText.includes(arguments[1]));
if (found) found.click();
return !!found;
"""
# How WebGL is emulated, as arguments of Chromium's.
SWIFTSHADER = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")
MESA = ("--use-angle=gl-egl", "--ignore-gpu-blocklist")


def browser(webgl: tuple[str, ...]) -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--window-size=1400,900", "--disable-dev-shm-usage",
                     "--use-gl=angle", *webgl):
        options.add_argument(argument)
    return webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))


def front(folder: Path, ohif: Path, server: Server, port: int, cpu: bool) -> subprocess.Popen:
    """nginx with OHIF at / and the server's DICOMweb at /dicom-web/."""
    config, viewer = folder / "nginx.conf", folder / "app-config.js"
    # nginx reads it as nobody.
    for path in (folder, folder.parent):
        path.chmod(0o755)
    viewer.write_text(CONFIG.read_text() + f"window.config.useCPURendering = {str(cpu).lower()};\n")
    config.write_text(NGINX.format(run=folder, port=port, ohif=ohif, config=viewer,
                                   upstream=f"127.0.0.1:{server.http_port}"))
    return subprocess.Popen(["nginx", "-p", folder, "-c", config])


def opened(url: str, webgl: tuple[str, ...]) -> float:
    """Seconds from the click that opens the only study to its first image."""
    driver = browser(webgl)
    try:
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": LISTEN})
        driver.get(f"{url}/")
        wait = WebDriverWait(driver, 120, poll_frequency=0.1)
        wait.until(lambda d: d.execute_script(CLICK, "tbody tr:not(:has(input))", "CT"))
        wait.until(lambda d: d.execute_script(CLICK, "button", "Basic Viewer"))
        return wait.until(lambda d: d.execute_script(
            "return window.rendered.length ? window.rendered[0] - window.clicked : 0")) / 1e3
    finally:
        driver.quit()


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("ohif", type=Path)
    args.add_argument("launchers", type=Path, nargs="+")
    args.add_argument("--slices", type=int, default=1000)
    args.add_argument("--rounds", type=int, default=3)
    drawing = args.add_mutually_exclusive_group()
    drawing.add_argument("--mesa", action="store_true")
    drawing.add_argument("--cpu", action="store_true")
    args.add_argument("--out", type=Path)
    args = args.parse_args()
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(dir="/var/tmp") as work:
        servers = [Server.from_launcher(path.resolve(), Path(work) / path.stem, 14242 + 10 * i, 18042 + 10 * i)
                   for i, path in enumerate(args.launchers)]
        for number in range(args.rounds):
            for server in servers:
                server.wipe()
                server.start()
                dimse.store_load(server.target, "ct-small", args.slices, 2, 70 + number, per_study=args.slices)
                server.settle()
                folder = Path(tempfile.mkdtemp(dir=work))
                proxy = front(folder, args.ohif.resolve(), server, 19042, args.cpu)
                time.sleep(1)
                try:
                    for when in ("first", "again"):
                        took = opened("http://127.0.0.1:19042", MESA if args.mesa else SWIFTSHADER)
                        times.setdefault(f"{server.name} {when}", []).append(took)
                        print(f"round {number + 1}/{args.rounds}  {server.name:12} {when}: {took:.2f} s", flush=True)
                finally:
                    proxy.terminate()
                    proxy.wait()
                    server.stop()
    for name, took in times.items():
        print(f"{name:20} {statistics.median(took):.2f} s ({min(took):.2f}-{max(took):.2f})")
    if args.out:
        args.out.write_text(json.dumps(times, indent=1))


if __name__ == "__main__":
    main()
