"""The daemon does what its OpenAPI document says, and the document says what the daemon does: Schemathesis asks
every operation, with what the document allows and with what it does not."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import raw
import requests
from conftest import Bridge, ct
from pynetdicom.dsutils import encode

UIDS = {"study": "1.2.3", "series": "1.2.3.1", "instance": "1.2.3.1.1"}

# Content negotiation, and pixels that are no image, refuse what is well formed. Which parameters of WADO-URI go
# together (a window has a centre and a width, a frame is no file) cannot be said in OpenAPI. Uploads are binary
# and tested by test_stow.py; tokens are made on the control socket, which has the document but not its routes here.
CONFIG = """
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "3xx", "401", "403", "404", "406", "409", "422", "5xx"]
[[operations]]
include-path = "/wado"
checks.positive_data_acceptance.expected-statuses = ["2xx", "304", "400", "404", "406", "422"]
[[operations]]
include-path-regex = "/(rendered|thumbnail)$"
checks.positive_data_acceptance.expected-statuses = ["2xx", "3xx", "400", "401", "403", "404", "406", "409", "422", "5xx"]
[[operations]]
include-name = ["POST /dicom-web/studies", "POST /dicom-web/studies/{study}"]
enabled = false
[[operations]]
include-path-regex = "^/api/v1/tokens"
enabled = false
"""


@pytest.fixture(scope="module")
def bridge(tmp_path_factory):
    b = Bridge(tmp_path_factory.mktemp("openapi"))
    b.config.write_text(b.config.read_text().replace("[web]\n", '[web]\nanonymous = "nobody"\n'))
    b.start()
    ds = ct(UIDS["study"], UIDS["series"], 1, SOPInstanceUID=UIDS["instance"])
    assert raw.store(b, [(ds.SOPClassUID, ds.SOPInstanceUID, ds.file_meta.TransferSyntaxUID, encode(ds, False, True))]) == [0]
    yield b
    assert b.stop() == 0, b.log.read_text()[-3000:]


def schemathesis(bridge: Bridge, folder: Path, scopes: str, more: str, *args: str) -> None:
    token = bridge.cli_json("token", "create", "schemathesis", "--scope", scopes)["token"]
    # A picture of 8,000 by 8,000 pixels takes a debug build longer than Schemathesis waits.
    (folder / "schemathesis.toml").write_text(f'[parameters]\n"query.viewport" = "64,48"\n{more}{CONFIG}')
    home = f"http://127.0.0.1:{bridge.web}"
    command = [Path(sys.executable).with_name("schemathesis"), "--config-file", folder / "schemathesis.toml", "run",
               f"{home}/api/v1/openapi.json", "-u", home, "-H", f"Authorization: Bearer {token}", "--seed", "1",
               "--generation-deterministic", "--continue-on-failure", *args]
    done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True, timeout=300,
                          env=os.environ | {"NO_COLOR": "1"})
    assert done.returncode == 0, done.stdout[-15000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
    assert requests.get(f"{home}/readyz", timeout=10).status_code == 200
    assert '"http.status":500' not in bridge.log.read_text()


def test_every_operation_answers_as_described(bridge, tmp_path):
    schemathesis(bridge, tmp_path, "read,share,delete", "", "--max-examples", "3")


def test_what_is_there_is_answered_as_described(bridge, tmp_path):
    pinned = "".join(f'"path.{name}" = "{uid}"\n' for name, uid in UIDS.items())
    pinned += '"path.frames" = "1"\n"path.path" = "7FE00010"\n'
    pinned += '"query.studyUID" = "1.2.3"\n"query.seriesUID" = "1.2.3.1"\n"query.objectUID" = "1.2.3.1.1"\n'
    schemathesis(bridge, tmp_path, "read", pinned, "--phases", "examples,coverage", "--include-path-regex", "^/(dicom-web|wado)")


def test_the_document_names_every_parameter_of_a_path(bridge):
    document = requests.get(f"http://127.0.0.1:{bridge.web}/api/v1/openapi.json", timeout=10).json()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            named = json.dumps(operation.get("parameters", []))
            for parameter in (piece.split("}")[0] for piece in path.split("{")[1:]):
                assert f'"name": "{parameter}"' in named or f'/parameters/{parameter}"' in named, f"{method} {path}"
