"""WADO-URI, whole bulk data and pixel data, counts and capabilities, judged by pydicom, Pillow, curl and an XML reader."""
import io
import json
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest
import raw
import requests
from conftest import ct
from dicomweb_client.api import DICOMwebClient
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames
from pydicom.uid import generate_uid
from pynetdicom.dsutils import encode


@pytest.fixture(scope="module")
def study(shared):
    """Two series of native slices, and a compressed multi-frame image."""
    uid, series = generate_uid(), [generate_uid(), generate_uid()]
    instances = [ct(uid, series[n % 2], n + 1) for n in range(4)]
    film = dcmread(get_testdata_file("examples_ybr_color.dcm"))
    film.StudyInstanceUID, film.SeriesInstanceUID, film.SOPInstanceUID = uid, generate_uid(), generate_uid()
    film.PatientID, film.PatientName, film.PatientBirthDate = "IOP-1", "TEST^INTEROP", "19700131"
    rows = [(ds.SOPClassUID, ds.SOPInstanceUID, ds.file_meta.TransferSyntaxUID, encode(ds, False, True)) for ds in [*instances, film]]
    assert raw.store(shared, rows) == [0] * 5
    return instances, film


def wado(shared, ds, **parameters):
    named = {"requestType": "WADO", "studyUID": ds.StudyInstanceUID, "seriesUID": ds.SeriesInstanceUID, "objectUID": ds.SOPInstanceUID}
    return requests.get(shared.root.replace("/dicom-web", "/wado"), params=named | parameters, timeout=60)


def test_wado_uri_gives_the_file_that_was_sent(shared, study):
    instances, film = study
    got = dcmread(io.BytesIO(wado(shared, instances[0], contentType="application/dicom").content))
    assert got == instances[0]
    answer = wado(shared, film, transferSyntax=film.file_meta.TransferSyntaxUID)
    assert answer.headers["content-type"].startswith("application/dicom")
    assert dcmread(io.BytesIO(answer.content)).PixelData == film.PixelData


def test_wado_uri_renders_what_pillow_reads(shared, study):
    instances, film = study
    answer = wado(shared, instances[0])
    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).size == (64, 64)
    part = Image.open(io.BytesIO(wado(shared, instances[0], contentType="image/png", region="0,0,0.5,0.25", rows=32, columns=64).content))
    assert (part.format, part.size) == ("PNG", (64, 32))
    dark = Image.open(io.BytesIO(wado(shared, instances[0], contentType="image/png", windowCenter=100000, windowWidth=1).content))
    assert dark.getextrema() == (0, 0)
    assert Image.open(io.BytesIO(wado(shared, film, frameNumber=30).content)).size == (film.Columns, film.Rows)
    moving = Image.open(io.BytesIO(wado(shared, film, contentType="image/gif").content))
    assert moving.n_frames == film.NumberOfFrames


def test_wado_uri_refuses_in_a_sentence(shared, study):
    first = study[0][0]
    for parameters, status in [
        ({"requestType": "x"}, 400), ({"objectUID": ""}, 400), ({"rows": "0"}, 400), ({"windowCenter": "1"}, 400),
        ({"frameNumber": "2"}, 404), ({"objectUID": "1.2.3"}, 404), ({"anonymize": "yes"}, 406), ({"contentType": "text/plain"}, 406),
    ]:
        answer = wado(shared, first, **parameters)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), parameters
        assert answer.json()["detail"].endswith("."), parameters


def test_wado_uri_resumes_and_is_not_sent_twice(shared, study):
    answer = wado(shared, study[0][0], contentType="application/dicom")
    again = requests.get(answer.url, headers={"If-None-Match": answer.headers["etag"]}, timeout=60)
    assert again.status_code == 304
    done = subprocess.run(["curl", "-s", "-r", "100-199", answer.url], capture_output=True, timeout=60)
    assert done.stdout == answer.content[100:200]
    head = requests.head(answer.url, timeout=60)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(answer.content)))


def test_dicomweb_client_reads_all_bulk_data_of_each_level(shared, study):
    instances, film = study
    client, first = DICOMwebClient(shared.root), instances[0]
    series = f"{shared.root}/studies/{first.StudyInstanceUID}/series/{first.SeriesInstanceUID}"
    mine = [ds.PixelData for ds in instances if ds.SeriesInstanceUID == first.SeriesInstanceUID]
    for what in ("bulkdata", "pixeldata"):
        assert client.retrieve_bulkdata(f"{series}/{what}") == mine
        assert client.retrieve_bulkdata(f"{series}/instances/{first.SOPInstanceUID}/{what}") == [first.PixelData]
    parts = client.retrieve_bulkdata(f"{shared.root}/studies/{first.StudyInstanceUID}/bulkdata")
    assert len(parts) == len(instances) + film.NumberOfFrames


def test_compressed_pixel_data_comes_frame_by_frame(shared, study):
    film = study[1]
    client = DICOMwebClient(shared.root)
    url = f"{shared.root}/studies/{film.StudyInstanceUID}/series/{film.SeriesInstanceUID}/pixeldata"
    any_syntax = {"Accept": 'multipart/related; type="application/octet-stream"; transfer-syntax=*'}
    answer = requests.get(url, headers=any_syntax, timeout=60)
    parts = client._decode_multipart_message(answer, False)
    expected = list(generate_frames(film.PixelData, number_of_frames=film.NumberOfFrames))
    stripped = [frame.rstrip(b"\0") for frame in parts]
    assert stripped == [frame.rstrip(b"\0") for frame in expected]


def test_compressed_pixel_data_is_decoded_where_octets_are_asked_for(shared, study):
    film = study[1]
    url = f"{shared.root}/studies/{film.StudyInstanceUID}/series/{film.SeriesInstanceUID}/instances/{film.SOPInstanceUID}"
    octets = {"Accept": 'multipart/related; type="application/octet-stream"'}
    answer = requests.get(f"{url}/pixeldata", headers=octets, timeout=120)
    parts = list(DICOMwebClient(shared.root)._decode_multipart_message(answer, False))
    assert [len(part) for part in parts] == [film.Rows * film.Columns * 3] * film.NumberOfFrames
    frame = requests.get(f"{url}/frames/30", headers=octets, timeout=60)
    assert [parts[29]] == list(DICOMwebClient(shared.root)._decode_multipart_message(frame, False))
    assert requests.head(f"{url}/pixeldata", headers=octets, timeout=60).headers["etag"] == answer.headers["etag"]
    # WADO-URI means Explicit VR Little Endian where it says nothing (PS3.18 §9.1.2.2).
    got = dcmread(io.BytesIO(wado(shared, film).content))
    assert got.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert got.PixelData == b"".join(parts)


def test_a_bulk_data_uri_of_compressed_pixel_data_gives_frames(shared, study):
    """By default as they are stored, octets decoded (PS3.18 §8.7.3.3); item tags in neither."""
    film, client = study[1], DICOMwebClient(shared.root)
    place = client.retrieve_instance_metadata(film.StudyInstanceUID, film.SeriesInstanceUID, film.SOPInstanceUID)["7FE00010"]["BulkDataURI"]
    stored = list(generate_frames(film.PixelData, number_of_frames=film.NumberOfFrames))
    assert [part.rstrip(b"\0") for part in client.retrieve_bulkdata(place)] == [frame.rstrip(b"\0") for frame in stored]
    octets = 'multipart/related; type="application/octet-stream"'
    for accept in (octets, octets + "; transfer-syntax=1.2.840.10008.1.2.1"):
        answer = requests.get(place, headers={"Accept": accept}, timeout=120)
        parts = list(client._decode_multipart_message(answer, False))
        assert [len(part) for part in parts] == [film.Rows * film.Columns * 3] * film.NumberOfFrames, accept
        assert answer.content.count(f"Content-Location: {place}\r\n".encode()) == film.NumberOfFrames
    assert requests.get(place, headers={"Accept": "image/jpeg"}, timeout=60).status_code == 406, "a part holds one frame"


def test_a_count_is_what_the_search_finds(shared, study):
    uid = study[0][0].StudyInstanceUID
    client = DICOMwebClient(shared.root)
    for path, found in [
        (f"studies/count?StudyInstanceUID={uid}", 1),
        (f"studies/{uid}/series/count", len(client.search_for_series(uid))),
        (f"studies/{uid}/instances/count", len(client.search_for_instances(uid))),
        (f"instances/count?StudyInstanceUID={uid}&Modality=CT&limit=1", 4),
    ]:
        answer = requests.get(f"{shared.root}/{path}", timeout=60)
        assert answer.json() == {"count": found}, path


def test_capabilities_are_wadl_openapi_and_a_page(shared):
    namespace = {"w": "http://wadl.dev.java.net/2009/02"}
    wadl = requests.options(f"{shared.root}/", headers={"Accept": "application/vnd.sun.wadl+xml"}, timeout=60)
    tree = ElementTree.fromstring(wadl.content)
    assert tree.find("w:resources", namespace).get("base") == f"{shared.root}/"
    paths = {resource.get("path") for resource in tree.iter(f"{{{namespace['w']}}}resource")}
    assert {"studies", "studies/{study}/bulkdata", "studies/{study}/series/{series}/instances/count"} <= paths
    openapi = requests.get(f"{shared.root}/", headers={"Accept": "application/vnd.oai.openapi+json"}, timeout=60)
    assert "/wado" in json.loads(openapi.content)["paths"]
    home = shared.root.removesuffix("dicom-web")
    page = requests.get(home, headers={"Accept": "text/html"}, timeout=60)
    assert page.headers["content-type"].startswith("text/html") and "Bluebridge" in page.text


def test_all_bulk_data_is_streamed_at_flat_memory(bridge):
    image = ct("1.2.3", "1.2.3.1", 1, size=512)
    rows = []
    for number in range(1, 121):
        image.SOPInstanceUID, image.InstanceNumber = f"1.2.3.1.{number}", number
        rows.append((image.SOPClassUID, image.SOPInstanceUID, image.file_meta.TransferSyntaxUID, encode(image, False, True)))
    assert set(raw.store(bridge, rows)) == {0}

    def most() -> int:
        status = open(f"/proc/{bridge.process.pid}/status").read()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024

    requests.get(f"{bridge.root}/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1/bulkdata", timeout=60)
    before = most()
    for what in ("bulkdata", "pixeldata"):
        sent = 0
        with requests.get(f"{bridge.root}/studies/1.2.3/{what}", stream=True, timeout=60) as answer:
            for chunk in answer.iter_content(1 << 18):
                sent += len(chunk)
        assert sent > len(rows) * len(image.PixelData)
    assert most() - before < 16 << 20, "of 60 MiB"
