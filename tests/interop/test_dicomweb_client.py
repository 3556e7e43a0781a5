"""The Python dicomweb-client with its default settings, and curl for the headers."""
import subprocess

import pytest
import raw
from conftest import ct
from dicomweb_client.api import DICOMwebClient
from pydicom.uid import generate_uid
from pynetdicom.dsutils import encode
from requests.exceptions import HTTPError


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


def test_it_iterates_over_parts_and_pages(client, study):
    first = study[0]
    uids = first.StudyInstanceUID, first.SeriesInstanceUID, first.SOPInstanceUID
    assert {ds.SOPInstanceUID for ds in client.iter_study(uids[0])} == {ds.SOPInstanceUID for ds in study}
    assert sum(1 for _ in client.iter_series(*uids[:2])) == 5
    assert list(client.iter_instance_frames(*uids, frame_numbers=[1])) == [first.PixelData]
    place = client.retrieve_instance_metadata(*uids)["7FE00010"]["BulkDataURI"]
    assert list(client.iter_bulkdata(place)) == [first.PixelData]
    everything = client.search_for_instances(uids[0], limit=2, get_remaining=True)
    assert len(everything) == 5


@pytest.mark.parametrize("wanted", [(0, 9), (0, 999), (100,)], ids=str)
def test_it_retrieves_a_range_of_a_value(client, study, wanted):
    """Without If-Range, each answer read as a multipart body of its own."""
    first = study[0]
    place = client.retrieve_instance_metadata(first.StudyInstanceUID, first.SeriesInstanceUID, first.SOPInstanceUID)["7FE00010"]["BulkDataURI"]
    expected = first.PixelData[wanted[0]:wanted[1] + 1] if len(wanted) == 2 else first.PixelData[wanted[0]:]
    assert client.retrieve_bulkdata(place, byte_range=wanted) == [expected]
    assert list(client.iter_bulkdata(place, byte_range=wanted)) == [expected]


def test_it_renders_at_every_level(client, study):
    first = study[0]
    uids = first.StudyInstanceUID, first.SeriesInstanceUID, first.SOPInstanceUID
    jpeg, png = b"\xff\xd8\xff", b"\x89PNG"
    assert client.retrieve_instance_rendered(*uids).startswith((jpeg, png))
    assert client.retrieve_instance_rendered(*uids, media_types=("image/png",)).startswith(png)
    assert client.retrieve_instance_frames_rendered(*uids, frame_numbers=[1]).startswith((jpeg, png))
    small = client.retrieve_instance_rendered(*uids, media_types=("image/jpeg",), params={"viewport": "16,16", "quality": 50})
    assert small.startswith(jpeg) and len(small) < len(client.retrieve_instance_rendered(*uids, media_types=("image/jpeg",)))


def test_it_stores_and_deletes_at_every_level(shared):
    """A token of the scope; what it deletes is gone, what is left is left."""
    token = shared.cli_json("token", "create", "dicomweb-client", "--scope", "read,write,delete")["token"]
    client = DICOMwebClient(shared.root, headers={"Authorization": f"Bearer {token}"})
    uid = generate_uid()
    images = [ct(uid, series, number) for series in (generate_uid(), generate_uid()) for number in (1, 2)]
    stored = client.store_instances(images)
    assert len(stored.ReferencedSOPSequence) == 4 and "FailedSOPSequence" not in stored
    assert len(client.store_instances(images[:1], study_instance_uid=uid).ReferencedSOPSequence) == 1
    first = images[0]
    client.delete_instance(uid, first.SeriesInstanceUID, first.SOPInstanceUID)
    assert len(client.search_for_instances(uid)) == 3
    with pytest.raises(HTTPError, match="404"):
        client.retrieve_instance(uid, first.SeriesInstanceUID, first.SOPInstanceUID)
    client.delete_series(uid, images[2].SeriesInstanceUID)
    assert len(client.search_for_series(uid)) == 1
    client.delete_study(uid)
    assert client.search_for_studies(search_filters={"StudyInstanceUID": uid}) == []
    with pytest.raises(HTTPError, match="404"):
        client.delete_study(uid)
    with pytest.raises(HTTPError, match="401"):
        DICOMwebClient(shared.root).delete_study(uid)
    # Sent again, it is there again.
    assert len(client.store_instances(images).ReferencedSOPSequence) == 4
    assert len(client.retrieve_study(uid)) == 4


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
