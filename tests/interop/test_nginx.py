"""Behind nginx with TLS and a path in front: every address that is written into an answer is the outside one."""
from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
import xml.etree.ElementTree as ElementTree

import pytest
import requests
from conftest import Bridge, ct, free_port
from dicomweb_client.api import DICOMwebClient
from test_tls import authority, issue

HEADERS = {
    # What proxies have long sent, and RFC 7239.
    "pacs": ["X-Forwarded-Host $host:$server_port", "X-Forwarded-Proto https", "X-Forwarded-For $remote_addr"],
    "std": ['Forwarded "for=$remote_addr;proto=https;host=\\"$host:$server_port\\""'],
}


class Front:
    """nginx over a daemon; `root(prefix)` is what its callers know."""

    def __init__(self, folder, bridge: Bridge) -> None:
        self.port, self.ca = free_port(), str(folder / "site.pem")
        locations = "".join(
            f"""
    location /{prefix}/ {{
      proxy_pass http://127.0.0.1:{bridge.web}/;
      proxy_set_header Host inner.example;
      proxy_set_header X-Forwarded-Prefix /{prefix};
{"".join(f"      proxy_set_header {header};" + chr(10) for header in headers)}    }}"""
            for prefix, headers in HEADERS.items()
        )
        servers = f"""
  server {{
    listen 127.0.0.1:{self.port} ssl;
    ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.key;{locations}
  }}"""
        self.process = nginx(folder, self.port, servers)

    def home(self, prefix: str) -> str:
        return f"https://localhost:{self.port}/{prefix}/"

    def root(self, prefix: str) -> str:
        return f"{self.home(prefix)}dicom-web"


def nginx(folder, port: int, servers: str) -> subprocess.Popen:
    """nginx in the foreground, once it listens."""
    (folder / "nginx.conf").write_text(f"""
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log warn;
events {{ worker_connections 64; }}
http {{
  access_log off; proxy_http_version 1.1; proxy_buffering off; proxy_request_buffering off; client_max_body_size 0;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;{servers}
}}
""")
    process = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")])
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert process.poll() is None, (folder / "error.log").read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return process
        time.sleep(0.02)
    raise AssertionError("nginx does not listen")


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nginx")
    folder.chmod(0o755)
    authority(folder, "site")
    issue(folder, "site", "server", "/CN=localhost")
    bridge = Bridge(folder)
    text = bridge.config.read_text()
    bridge.config.write_text(text.replace("[web]\n", '[web]\ntrusted_proxies = ["127.0.0.1/32"]\n'))
    bridge.start()
    nginx = Front(folder, bridge)
    nginx.token = bridge.cli_json("token", "create", "portal", "--scope", "read,write")["token"]
    yield nginx
    nginx.process.terminate()
    nginx.process.wait(timeout=20)
    assert bridge.stop() == 0, bridge.log.read_text()[-3000:]


@pytest.fixture(scope="module")
def session(front):
    session = requests.Session()
    session.trust_env = False
    session.verify = front.ca
    session.headers["Authorization"] = f"Bearer {front.token}"
    return session


@pytest.fixture(scope="module")
def stored(front, session):
    """Stored through the proxy, once under each prefix."""
    made = {}
    for prefix in HEADERS:
        instances = [ct(number=n) for n in (1, 2)]
        instances[1].StudyInstanceUID, instances[1].SeriesInstanceUID = instances[0].StudyInstanceUID, instances[0].SeriesInstanceUID
        answer = DICOMwebClient(front.root(prefix), session=session).store_instances(instances)
        assert answer.RetrieveURL == f"{front.root(prefix)}/studies/{instances[0].StudyInstanceUID}"
        for item, ds in zip(answer.ReferencedSOPSequence, instances, strict=True):
            assert item.RetrieveURL.startswith(front.root(prefix)) and item.RetrieveURL.endswith(ds.SOPInstanceUID)
        made[prefix] = instances
    return made


@pytest.mark.parametrize("prefix", HEADERS)
def test_dicomweb_client_lists_and_retrieves(front, session, stored, prefix):
    client, first = DICOMwebClient(front.root(prefix), session=session), stored[prefix][0]
    uids = first.StudyInstanceUID, first.SeriesInstanceUID, first.SOPInstanceUID
    [found] = client.search_for_studies(search_filters={"StudyInstanceUID": uids[0]})
    assert found["00081190"]["Value"] == [f"{front.root(prefix)}/studies/{uids[0]}"]
    assert len(client.search_for_instances(*uids[:2])) == 2
    assert client.retrieve_instance(*uids) == first
    assert len(client.retrieve_study(uids[0])) == 2
    uri = client.retrieve_instance_metadata(*uids)["7FE00010"]["BulkDataURI"]
    assert uri.startswith(f"{front.root(prefix)}/studies/")
    assert client.retrieve_bulkdata(uri) == [first.PixelData]
    assert client.retrieve_instance_frames(*uids, frame_numbers=[1]) == [first.PixelData]


@pytest.mark.parametrize("prefix", HEADERS)
def test_parts_and_capabilities_name_the_outside(front, session, stored, prefix):
    first = stored[prefix][0]
    whole = session.get(f"{front.root(prefix)}/studies/{first.StudyInstanceUID}/bulkdata", timeout=60)
    assert whole.content.count(f"Content-Location: {front.root(prefix)}/studies/".encode()) == 2
    tree = ElementTree.fromstring(session.get(f"{front.root(prefix)}/", timeout=60).content)
    assert tree[0].get("base") == f"{front.root(prefix)}/"
    page = session.get(front.home(prefix), headers={"Accept": "text/html"}, timeout=60)
    assert page.ok and "api/v1/openapi.json" in page.text
    named = f"requestType=WADO&studyUID={first.StudyInstanceUID}&seriesUID={first.SeriesInstanceUID}&objectUID={first.SOPInstanceUID}"
    picture = session.get(f"{front.home(prefix)}wado?{named}", timeout=60)
    assert picture.headers["content-type"] == "image/jpeg"


def test_a_download_resumes_through_the_proxy(front, session, stored):
    url, headers = f"{front.root('pacs')}/studies/{stored['pacs'][0].StudyInstanceUID}", {"Accept": "application/zip"}
    whole = session.get(url, headers=headers, timeout=60)
    half = len(whole.content) // 2
    rest = session.get(url, headers=headers | {"Range": f"bytes={half}-", "If-Range": whole.headers["etag"]}, timeout=60)
    assert (rest.status_code, rest.content) == (206, whole.content[half:])


def test_nobody_is_let_in_for_coming_through_the_proxy(front, stored):
    for path in ("dicom-web/studies", "wado", f"dicom-web/studies/{stored['pacs'][0].StudyInstanceUID}"):
        answer = requests.get(front.home("pacs") + path, verify=front.ca, timeout=60)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json"), path


@pytest.mark.parametrize("bare", ["proxy_http_version 1.0;", "proxy_set_header X-Real-IP $remote_addr;",
                                  "proxy_set_header Host $host;"])
def test_nobody_is_taken_for_a_program_of_this_machine(shared, tmp_path, bare):
    tmp_path.chmod(0o755)
    port = free_port()
    process = nginx(tmp_path, port, f"""
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{shared.web}; {bare} }} }}""")
    try:
        answer = requests.get(f"http://127.0.0.1:{port}/dicom-web/studies", headers={"Host": "pacs.example.org"}, timeout=60)
        assert answer.status_code in (401, 421), answer.text
    finally:
        process.terminate()
        process.wait(timeout=20)
