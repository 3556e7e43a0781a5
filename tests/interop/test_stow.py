"""STOW-RS as other people's clients speak it: the Python dicomweb-client with its default settings, curl,
and requests that no client should send."""
from __future__ import annotations

import io
import json
import socket
import subprocess
import time
import urllib.request

import pydicom
import pytest
import raw
from conftest import Bridge, ct
from dicomweb_client.api import DICOMwebClient
from pydicom.uid import generate_uid
from pynetdicom.dsutils import encode

RELATED = 'multipart/related; type="application/dicom"; boundary="{}"'


def file(ds) -> bytes:
    out = io.BytesIO()
    pydicom.dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()


def dataset_bytes(ds) -> bytes:
    return encode(ds, False, True)


def multipart(parts: list[bytes], boundary: str = "b0", content_type: str = "application/dicom") -> bytes:
    head = f"\r\n--{boundary}\r\nContent-Type: {content_type}\r\n\r\n".encode()
    return b"".join(head + part for part in parts) + f"\r\n--{boundary}--".encode()


def post(bridge, body: bytes, content_type: str = RELATED.format("b0"), path: str = "/studies", **headers):
    """Status, headers and parsed body of one POST."""
    headers = {"Content-Type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
    request = urllib.request.Request(bridge.root + path, data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, error.headers, json.loads(error.read())


def stored(bridge, ds) -> bytes:
    """The data set as the archive returns it, without its file meta."""
    path = f"/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"
    request = urllib.request.Request(bridge.root + path, headers={"Accept": "application/dicom; transfer-syntax=*"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        body = answer.read()
    assert body[:128] == bytes(128), "an empty preamble"
    length = int.from_bytes(body[140:144], "little")
    return body[144 + length:]


def failures(answer: dict) -> list[int]:
    items = answer.get("00081198", {}).get("Value", []) + answer.get("0008119A", {}).get("Value", [])
    return [item["00081197"]["Value"][0] for item in items]


@pytest.fixture(scope="module")
def client(shared):
    return DICOMwebClient(shared.root)


def test_the_python_client_stores_with_its_default_settings(shared, client):
    # Beyond 1 MB it sends chunks without a length.
    for size in (64, 1024):
        instances = [ct(generate_uid(), generate_uid(), n, size=size) for n in (1, 2)]
        for ds in instances[1:]:
            ds.StudyInstanceUID, ds.SeriesInstanceUID = instances[0].StudyInstanceUID, instances[0].SeriesInstanceUID
        answer = client.store_instances(instances)
        assert [item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence] == [
            ds.SOPInstanceUID for ds in instances
        ]
        assert "FailedSOPSequence" not in answer and "OtherFailuresSequence" not in answer
        assert answer.RetrieveURL == f"{shared.root}/studies/{instances[0].StudyInstanceUID}"
        for ds, item in zip(instances, answer.ReferencedSOPSequence, strict=True):
            assert item.RetrieveURL.endswith(f"/instances/{ds.SOPInstanceUID}")
            assert stored(shared, ds) == dataset_bytes(ds)
            back = client.retrieve_instance(ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID)
            assert back == ds
    assert client.store_instances(instances, study_instance_uid=instances[0].StudyInstanceUID).ReferencedSOPSequence


def test_curl_stores_one_instance_by_multipart_and_by_itself(shared, tmp_path):
    for number, content_type in enumerate([RELATED.format("curl boundary"), "application/dicom"]):
        ds = ct(number=number)
        body = tmp_path / f"body{number}"
        body.write_bytes(multipart([file(ds)], "curl boundary") if number == 0 else file(ds))
        for expected in (200, 200):
            done = subprocess.run(
                ["curl", "-sS", "-i", "-H", f"Content-Type: {content_type}", "-H", "Accept: application/dicom+json",
                 "--data-binary", f"@{body}", f"{shared.root}/studies"],
                capture_output=True, text=True, timeout=60, check=True,
            )
            assert f" {expected} " in done.stdout.splitlines()[0], done.stdout
            assert "content-type: application/dicom+json" in done.stdout.lower()
        assert stored(shared, ds) == dataset_bytes(ds)
