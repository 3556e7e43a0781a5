"""The Python dicomweb-client with its default settings, and curl for the headers."""
import subprocess

import pytest
import raw
from conftest import ct
from dicomweb_client.api import DICOMwebClient
from pydicom.uid import generate_uid
from pynetdicom.dsutils import encode


@pytest.fixture(scope="module")
def study(shared):
    uid, series = generate_uid(), generate_uid()
    instances = [ct(uid, series, n, PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう") for n in range(1, 6)]
    for ds in instances:
        rows = [(ds.SOPClassUID, ds.SOPInstanceUID, ds.file_meta.TransferSyntaxUID, encode(ds, False, True))]
        assert raw.store(shared, rows) == [0]
    return instances


@pytest.fixture(scope="module")
def client(shared):
    return DICOMwebClient(shared.root)


def test_it_searches_at_every_level(client, study):
    uid, series = study[0].StudyInstanceUID, study[0].SeriesInstanceUID
    assert len(client.search_for_studies(search_filters={"StudyInstanceUID": uid})) == 1
    assert len(client.search_for_studies(search_filters={"PatientName": "山田*"}, fuzzymatching=True, limit=10)) == 1
    assert len(client.search_for_studies(search_filters={"PatientID": "IOP-1"}, fields=["StudyDescription"])) >= 1
    assert len(client.search_for_series(uid)) == 1
    assert len(client.search_for_instances(uid)) == 5
    assert len(client.search_for_instances(uid, series, limit=2, offset=4)) == 1


def test_it_retrieves_at_every_level(client, study):
    first = study[0]
    uids = first.StudyInstanceUID, first.SeriesInstanceUID, first.SOPInstanceUID
    assert client.retrieve_instance(*uids) == first
    assert len(client.retrieve_study(uids[0])) == 5
    assert len(client.retrieve_series(*uids[:2])) == 5
    assert len(client.retrieve_study_metadata(uids[0])) == 5
    assert len(client.retrieve_series_metadata(*uids[:2])) == 5
    metadata = client.retrieve_instance_metadata(*uids)
    assert metadata["00100010"]["Value"][0]["Ideographic"] == "山田^太郎"
    frames = client.retrieve_instance_frames(*uids, frame_numbers=[1])
    assert frames[0] == first.PixelData
    assert client.retrieve_bulkdata(metadata["7FE00010"]["BulkDataURI"])[0] == first.PixelData


def curl(*args) -> str:
    return subprocess.run(["curl", "-sS", "-i", *args], capture_output=True, text=True, timeout=30).stdout


def test_headers_are_what_scripts_rely_on(shared, study):
    series = f"{shared.root}/studies/{study[0].StudyInstanceUID}/series/{study[0].SeriesInstanceUID}"
    head = curl("-I", f"{series}/metadata")
    assert head.startswith("HTTP/1.1 200") and "application/dicom+json" in head and "etag:" in head.lower()
    assert "401" in curl(f"{shared.root}/studies", "-H", "X-Forwarded-For: 10.0.0.1").splitlines()[0], "not through a proxy"
    assert curl(f"{shared.root}/studies", "-H", "Host: evil.example").splitlines()[0].split()[1] in ("400", "421")
    assert "405" in curl("-X", "PUT", f"{shared.root}/studies").splitlines()[0]
    token = shared.cli_json("token", "create", "curl", "--scope", "read")["token"]
    through_proxy = ["-H", "X-Forwarded-For: 10.0.0.1", "-H", f"Authorization: Bearer {token}"]
    assert "200" in curl(f"{shared.root}/studies", *through_proxy).splitlines()[0]
