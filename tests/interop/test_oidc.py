"""Access tokens of an OpenID Connect issuer over HTTPS, with other people's libraries: PyJWT signs, dicomweb-client asks."""
from __future__ import annotations

import http.client
import http.server
import json
import re
import ssl
import subprocess
import threading
import time
import urllib.parse

import jwt
import pytest
import requests
from conftest import Bridge, ct, save
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from dicomweb_client.api import DICOMwebClient
from test_tls import authority, issue


class Issuer:
    """Discovery and keys over HTTPS; its CA is its own."""

    def __init__(self, folder) -> None:
        authority(folder, "issuer-ca")
        issue(folder, "issuer-ca", "issuer", "/CN=localhost")
        self.keys = {
            "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
            "PS512": rsa.generate_private_key(public_exponent=65537, key_size=3072),
            "ES256": ec.generate_private_key(ec.SECP256R1()),
            "ES384": ec.generate_private_key(ec.SECP384R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        }
        issuer = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = {"/.well-known/openid-configuration": issuer.discovery, "/jwks": issuer.jwks}.get(self.path)
                body = json.dumps(found() if found else {}).encode()
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "issuer.pem", folder / "issuer.key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def discovery(self) -> dict:
        return {"issuer": self.url, "jwks_uri": f"{self.url}/jwks", "response_types_supported": ["code"]}

    def jwks(self) -> dict:
        keys = []
        for algorithm, key in self.keys.items():
            jwk = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
            keys.append({**jwk, "kid": algorithm, "use": "sig", "alg": algorithm})
        return {"keys": keys}

    def token(self, algorithm: str = "RS256", **changes: object) -> str:
        now = int(time.time())
        claims = {"iss": self.url, "aud": ["bluebridge"], "sub": "8c2f", "iat": now, "exp": now + 300,
                  "realm_access": {"roles": ["radiologist"]}, **changes}
        return jwt.encode(claims, self.keys[algorithm], algorithm, headers={"kid": algorithm, "typ": "at+jwt"})


@pytest.fixture(scope="module")
def hospital(tmp_path_factory):
    folder = tmp_path_factory.mktemp("oidc")
    issuer = Issuer(folder)
    bridge = Bridge(folder, f"""
[web.oidc]
issuer = "{issuer.url}"
audience = "bluebridge"
ca = "{folder}/issuer-ca.pem"
scope_claim = "realm_access.roles"
scopes = {{ read = ["radiologist"], write = ["modality"] }}
patient_claim = "patient"
restriction = "optional"
""").start()
    images = {patient: ct(PatientID=patient) for patient in ("MINE", "OTHER")}
    for patient, image in images.items():
        file = save(image, folder / f"{patient}.dcm")
        sent = subprocess.run(["storescu", "-aec", "BLUEBRIDGE", "127.0.0.1", str(bridge.dicom), file], capture_output=True)
        assert sent.returncode == 0, sent.stderr
    yield bridge, issuer, images
    issuer.server.shutdown()
    assert bridge.stop() == 0, bridge.log.read_text()[-3000:]


def client(bridge, token: str) -> DICOMwebClient:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"
    return DICOMwebClient(bridge.root, session=session)


@pytest.mark.parametrize("algorithm", ["RS256", "PS512", "ES256", "ES384", "EdDSA"])
def test_dicomweb_client_reads_with_a_token_of_the_issuer(hospital, algorithm):
    bridge, issuer, images = hospital
    dicomweb = client(bridge, issuer.token(algorithm))
    assert len(dicomweb.search_for_studies()) == 2
    [instance] = dicomweb.retrieve_study(images["MINE"].StudyInstanceUID)
    assert instance.PixelData == images["MINE"].PixelData


def test_a_patient_claim_is_all_that_dicomweb_client_sees(hospital):
    bridge, issuer, images = hospital
    dicomweb = client(bridge, issuer.token(patient="MINE"))
    assert [study["00100020"]["Value"] for study in dicomweb.search_for_studies()] == [["MINE"]]
    assert dicomweb.search_for_instances(search_filters={"PatientID": "OTHER"}) == []
    assert len(dicomweb.retrieve_study_metadata(images["MINE"].StudyInstanceUID)) == 1
    with pytest.raises(requests.HTTPError, match="404"):
        dicomweb.retrieve_study_metadata(images["OTHER"].StudyInstanceUID)
    writer = client(bridge, issuer.token(patient="MINE", realm_access={"roles": ["modality"]}))
    own = ct(PatientID="MINE")
    assert len(writer.store_instances([own]).ReferencedSOPSequence) == 1
    strays = [ct(PatientID="OTHER"), ct(images["MINE"].StudyInstanceUID, PatientID="OTHER"),
              ct(images["OTHER"].StudyInstanceUID, PatientID="MINE")]
    for stray in strays:
        with pytest.raises(requests.HTTPError, match="409"):
            writer.store_instances([stray])
    with pytest.raises(requests.HTTPError, match="404"):
        writer.store_instances([ct(PatientID="OTHER")], study_instance_uid=images["OTHER"].StudyInstanceUID)
    assert len(dicomweb.search_for_studies()) == 2, "nothing that is theirs has come into doubt"


def test_tokens_that_are_not_good_are_refused(hospital):
    bridge, issuer, _ = hospital
    now = int(time.time())
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    cases = [
        issuer.token(aud="mail"), issuer.token(iss="https://evil.example"), issuer.token(exp=now - 3600),
        issuer.token(patient=7), jwt.encode({"iss": issuer.url}, None, "none"),
        jwt.encode({"iss": issuer.url, "aud": "bluebridge", "sub": "x", "exp": now + 60}, stranger, "RS256",
                   headers={"kid": "RS256"}),
    ]
    for token in cases:
        answer = requests.get(f"{bridge.root}/studies", headers={"Authorization": f"Bearer {token}"}, timeout=10)
        assert (answer.status_code, 'error="invalid_token"' in answer.headers["WWW-Authenticate"]) == (401, True)
    log = bridge.log.read_text()
    assert "8c2f" not in log and "eyJ" not in log


def test_a_shared_study_breaks_off_when_its_link_is_revoked(tmp_path):
    bridge = Bridge(tmp_path).start()
    image = ct(size=4096, PatientID="MINE")
    sent = subprocess.run(["storescu", "-aec", "BLUEBRIDGE", "127.0.0.1", str(bridge.dicom),
                           save(image, tmp_path / "large.dcm")], capture_output=True)
    assert sent.returncode == 0, sent.stderr
    link = bridge.cli_json("link", "grant", "--study", image.StudyInstanceUID)
    patient = http.client.HTTPConnection("127.0.0.1", bridge.patient, timeout=60)
    form = urllib.parse.urlencode({"code": link["code"], "day": "31", "month": "1", "year": "1970"})
    patient.request("POST", urllib.parse.urlsplit(link["url"]).path, form,
                    {"Content-Type": "application/x-www-form-urlencoded"})
    opened = patient.getresponse()
    opened.read()
    cookie = re.match("[^;]*", opened.headers["Set-Cookie"])[0]
    path = f"/s/{link['id']}/dicom-web/studies/{image.StudyInstanceUID}"
    patient.request("GET", path, headers={"Cookie": cookie, "Accept": 'multipart/related; type="application/dicom"'})
    answer = patient.getresponse()
    assert answer.status == 200
    answer.read(65536)
    bridge.cli("link", "revoke", link["id"])
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        answer.read()
    assert bridge.stop() == 0
