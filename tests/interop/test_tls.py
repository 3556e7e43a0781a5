"""HTTPS with other people's clients: curl, openssl s_client, dicomweb-client."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import requests
from conftest import Bridge, ct, free_port, save
from dicomweb_client.api import DICOMwebClient


def openssl(*args, **options) -> subprocess.CompletedProcess:
    return subprocess.run(["openssl", *map(str, args)], capture_output=True, text=True, timeout=60, **options)


def authority(folder: Path, name: str) -> None:
    made = openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 30, "-subj", f"/CN={name}",
                   "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign",
                   "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem")
    assert made.returncode == 0, made.stderr


def issue(folder: Path, ca: str, name: str, subject: str, *, days: int = 20, kind: str = "rsa:2048") -> None:
    """`<name>.pem` and `<name>.key`, signed by `<ca>`."""
    request, extensions = folder / f"{name}.csr", folder / f"{name}.ext"
    extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    new = ["-newkey", kind] if kind.startswith("rsa") else ["-newkey", "ec", "-pkeyopt", f"ec_paramgen_curve:{kind}"]
    made = openssl("req", "-new", "-utf8", *new, "-nodes", "-subj", subject, "-keyout", folder / f"{name}.new", "-out", request)
    assert made.returncode == 0, made.stderr
    made = openssl("x509", "-req", "-in", request, "-CA", folder / f"{ca}.pem", "-CAkey", folder / f"{ca}.key",
                   "-CAcreateserial", "-days", days, "-extfile", extensions, "-out", folder / f"{name}.crt")
    assert made.returncode == 0, made.stderr
    os.chmod(folder / f"{name}.new", 0o600)
    os.replace(folder / f"{name}.crt", folder / f"{name}.pem")
    os.replace(folder / f"{name}.new", folder / f"{name}.key")


class Secure(Bridge):
    """HTTPS on both listeners; certificates of clients are taken."""

    def __init__(self, folder: Path, more: str = "") -> None:
        authority(folder, "site")
        authority(folder, "clients")
        issue(folder, "site", "server", "/CN=localhost")
        issue(folder, "clients", "viewer", "/O=Example Hospital/CN=viewer-1", kind="prime256v1")
        issue(folder, "clients", "stranger", "/O=Example Hospital/CN=viewer-2")
        super().__init__(folder, f"""
[web.tls]
certificate = "{folder}/server.pem"
key = "{folder}/server.key"
client_ca = "{folder}/clients.pem"
[[web.client]]
name = "viewer-1"
subject = "CN=viewer-1,O=Example Hospital"
scopes = ["read"]
[patient.tls]
certificate = "{folder}/server.pem"
key = "{folder}/server.key"
{more}""")
        text = self.config.read_text()
        text = text.replace(f'public_url = "http://127.0.0.1:{self.patient}"',
                            f'public_url = "https://127.0.0.1:{self.patient}"')
        self.config.write_text(text.replace("[web]\n", '[web]\nanonymous = "nobody"\n'))
        self.ca = str(folder / "site.pem")

    @property
    def root(self) -> str:
        return f"https://127.0.0.1:{self.web}/dicom-web"

    def wait_until_ready(self) -> "Secure":
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            try:
                if requests.get(f"https://127.0.0.1:{self.web}/readyz", verify=self.ca, timeout=5).ok:
                    return self
            except requests.exceptions.ConnectionError:
                time.sleep(0.02)
        raise AssertionError("not ready: " + self.log.read_text()[-3000:])


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    b = Secure(tmp_path_factory.mktemp("tls")).start()
    yield b
    assert b.stop() == 0, b.log.read_text()[-3000:]


def curl(secure, *args: str) -> subprocess.CompletedProcess:
    return subprocess.run(["curl", "-sS", "--cacert", secure.ca, "-o", "/dev/null", "-w", "%{http_code} %{http_version}",
                           *args], capture_output=True, text=True, timeout=60)


def test_curl_speaks_both_versions_of_http_over_tls(secure):
    web, patient = f"https://127.0.0.1:{secure.web}/healthz", f"https://127.0.0.1:{secure.patient}/healthz"
    assert curl(secure, "--http2", web).stdout == "200 2"
    assert curl(secure, "--http1.1", web).stdout == "200 1.1"
    assert curl(secure, "--http2", patient).stdout == "200 1.1"
    assert curl(secure, "--tlsv1.2", "--tls-max", "1.2", web).stdout == "200 2"


def test_curl_speaks_http2_in_clear(shared):
    done = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "-o", "/dev/null", "-w", "%{http_code} %{http_version}",
                           f"http://127.0.0.1:{shared.web}/healthz"], capture_output=True, text=True, timeout=60)
    assert done.stdout == "200 2"


def test_a_certificate_opens_what_its_entry_says(secure):
    studies = f"{secure.root}/studies"

    def shown(name: str) -> list[str]:
        return ["--cert", str(secure.folder / f"{name}.pem"), "--key", str(secure.folder / f"{name}.key")]

    assert curl(secure, *shown("viewer"), studies).stdout == "204 2"
    assert curl(secure, *shown("stranger"), studies).stdout == "401 2"
    assert curl(secure, studies).stdout == "401 2"
    assert curl(secure, *shown("viewer"), f"https://127.0.0.1:{secure.web}/api/v1/links").stdout == "403 2"
    # The site's own CA issues no clients.
    assert curl(secure, *shown("server"), studies).returncode != 0


SUBJECTS = ["/O=Spital Zürich/CN=a", "/postalCode=8000/O=Hosp/CN=b", "/organizationIdentifier=NTRCH-1/CN=c",
            "/O=Hosp/CN=d+OU=radiology+L=x", "/O=Hosp/dnQualifier=7/initials=AB/description=z/CN=e",
            "/O=Hosp/CN=f/emailAddress=a@b.ch", "/O=Hosp, North \"x\" <y>;/CN=#g = \\\\ ", "/1.3.6.1.4.1.311.60.2.1.3=CH/2.5.4.3=h",
            "/O=H/serialNumber=12/CN=i/GN=G/SN=S/UID=u/uid=w/DC=d/street=s/title=t/L=l/ST=st/C=CH"]


def test_a_subject_is_configured_as_openssl_prints_it(tmp_path):
    b, entries = Secure(tmp_path), ""
    for at, subject in enumerate(SUBJECTS):
        issue(tmp_path, "clients", f"c{at}", subject, kind="prime256v1")
        printed = openssl("x509", "-in", tmp_path / f"c{at}.pem", "-noout", "-subject", "-nameopt", "RFC2253").stdout
        line = json.dumps(printed.removeprefix("subject=").rstrip("\n"))
        entries += f'[[web.client]]\nname = "c{at}"\nsubject = {line}\nscopes = ["read"]\n'
    b.config.write_text(b.config.read_text().replace("[patient.tls]", f"{entries}[patient.tls]"))
    b.start()
    for at, subject in enumerate(SUBJECTS):
        shown = ["--cert", str(tmp_path / f"c{at}.pem"), "--key", str(tmp_path / f"c{at}.key")]
        assert curl(b, *shown, f"{b.root}/studies").stdout == "204 2", subject
    assert b.stop() == 0


def test_what_a_foreign_page_sends_gets_nothing_from_a_certificate(secure):
    shown = ["--cert", str(secure.folder / "viewer.pem"), "--key", str(secure.folder / "viewer.key")]
    links = f"https://127.0.0.1:{secure.web}/api/v1/links"
    for header in ("Origin: https://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site"):
        assert curl(secure, *shown, "-H", header, f"{secure.root}/studies").stdout == "401 2", header
        assert curl(secure, *shown, "-H", header, "-d", "x=1", links).stdout == "401 2", header
    own = ["-H", f"Origin: https://127.0.0.1:{secure.web}", "-H", "Sec-Fetch-Site: same-origin"]
    assert curl(secure, *shown, *own, f"{secure.root}/studies").stdout != "401 2"


@pytest.mark.parametrize("port", ["web", "patient"])
def test_nothing_older_than_tls_1_2_is_spoken(secure, port):
    at = f"127.0.0.1:{getattr(secure, port)}"

    def handshake(*args: str) -> str:
        return openssl("s_client", "-connect", at, "-CAfile", secure.ca, *args, input="").stdout

    assert "New, TLSv1.2, Cipher is ECDHE" in handshake("-tls1_2")
    assert "New, TLSv1.3" in handshake("-tls1_3")
    assert "Verify return code: 0 (ok)" in handshake()
    # The client would speak these: only our side refuses.
    for version in ("-tls1", "-tls1_1"):
        assert "Cipher is (NONE)" in handshake(version, "-cipher", "ALL:@SECLEVEL=0"), version
    for cipher in ("AES128-SHA", "AES256-GCM-SHA384", "ECDHE-RSA-AES128-SHA", "DHE-RSA-AES256-GCM-SHA384"):
        assert "Cipher is (NONE)" in handshake("-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0"), cipher


def test_dicomweb_client_reads_over_https_with_a_token(secure):
    image = ct()
    save(image, secure.folder / "image.dcm")
    sent = subprocess.run(["storescu", "-aec", "BLUEBRIDGE", "127.0.0.1", str(secure.dicom), secure.folder / "image.dcm"],
                          capture_output=True, text=True, timeout=60)
    assert sent.returncode == 0, sent.stderr
    token = secure.cli_json("token", "create", "portal")["token"]
    session = requests.Session()
    session.trust_env = False
    session.verify = secure.ca
    session.headers["Authorization"] = f"Bearer {token}"
    client = DICOMwebClient(secure.root, session=session)
    found = client.search_for_studies()
    assert found[0]["00081190"]["Value"][0].startswith("https://")
    [instance] = client.retrieve_study(image.StudyInstanceUID)
    assert instance.PixelData == image.PixelData


def test_a_renewed_certificate_is_served_after_a_hangup(tmp_path):
    b = Secure(tmp_path).start()

    def serial() -> str:
        shown = openssl("s_client", "-connect", f"127.0.0.1:{b.web}", input="").stdout
        return openssl("x509", "-noout", "-serial", input=shown).stdout

    before = serial()
    issue(tmp_path, "site", "server", "/CN=localhost", kind="prime256v1")
    b.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 20
    while serial() == before:
        assert time.monotonic() < deadline, b.log.read_text()[-3000:]
    assert b.stop() == 0


def test_check_tells_an_end_that_is_near_and_one_that_has_come(tmp_path):
    b = Secure(tmp_path)
    assert "holds until" in b.cli("check").stdout
    issue(tmp_path, "site", "server", "/CN=localhost", days=3)
    near = b.cli("check")
    assert "the certificate expires on" in near.stdout
    issue(tmp_path, "site", "server", "/CN=localhost", days=-1)
    gone = b.cli("check", check=False)
    assert gone.returncode == 2 and "expired on" in gone.stderr, gone.stderr
