"""STOW-RS as other people's clients speak it: the Python dicomweb-client with its default settings, curl,
and requests that no client should send."""
from __future__ import annotations

import contextlib
import io
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pydicom
import pytest
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


def test_what_the_npm_client_and_ohif_send_is_taken(shared):
    # dicomweb-client (npm) and OHIF: a line end first, a boundary that is a GUID in quotes, none last.
    guid = "a3c4cf4c-3bd6-4f8d-9e2c-6f2b5a8d1e77"
    ds = ct()
    body = multipart([file(ds)], guid)
    status, headers, answer = post(shared, body, f'multipart/related; type="application/dicom"; boundary="{guid}"')
    assert status == 200 and headers["Content-Type"] == "application/dicom+json"
    assert answer["00081199"]["Value"][0]["00081155"]["Value"] == [ds.SOPInstanceUID]
    assert "00081198" not in answer and "0008119A" not in answer


@pytest.mark.parametrize(
    "what", ["preamble", "no preamble", "bare explicit", "bare implicit", "wrong meta", "no meta uids", "group length of zero",
             "group length of an element less", "group length too long"]
)
def test_whatever_a_part_begins_with_the_data_set_is_what_is_stored(shared, what):
    ds = ct()
    explicit = dataset_bytes(ds)
    whole = file(ds)
    implicit = encode(ds, True, True)
    other = generate_uid()
    ds.file_meta.MediaStorageSOPInstanceUID = other
    wrong = file_as_is(ds)
    stated = int.from_bytes(whole[140:144], "little")
    added = b"\x02\0\x16\0AE\x04\0HERE"

    def with_group_length(length: int, more: bytes = b"") -> bytes:
        return whole[:140] + length.to_bytes(4, "little") + whole[144:144 + stated] + more + whole[144 + stated:]

    del ds.file_meta.MediaStorageSOPInstanceUID
    body, expected = {
        "preamble": (b"MZ" + b"\x90" * 126 + whole[128:], explicit),
        "no preamble": (whole[132:], explicit),
        "bare explicit": (explicit, explicit),
        "bare implicit": (implicit, implicit),
        "wrong meta": (wrong, explicit),
        "no meta uids": (file_as_is(ds), explicit),
        "group length of zero": (with_group_length(0), explicit),
        "group length of an element less": (with_group_length(stated, added), explicit),
        "group length too long": (with_group_length(stated + 600), explicit),
    }[what]
    status, _, answer = post(shared, multipart([body]))
    assert status == 200, answer
    assert answer["00081199"]["Value"][0]["00081155"]["Value"] == [ds.SOPInstanceUID]
    assert stored(shared, ds) == expected


def file_as_is(ds) -> bytes:
    out = io.BytesIO()
    out.write(bytes(128) + b"DICM")
    meta = pydicom.filewriter.DicomBytesIO()
    meta.is_little_endian, meta.is_implicit_VR = True, False
    pydicom.filewriter.write_dataset(meta, ds.file_meta)
    out.write(meta.getvalue() + dataset_bytes(ds))
    return out.getvalue()


def test_every_part_has_its_own_answer(shared):
    study = generate_uid()
    good, other_study, no_uid, not_storage = ct(study), ct(), ct(study), ct(study)
    del no_uid.SeriesInstanceUID
    not_storage.SOPClassUID = "1.2.840.10008.5.1.4.1.2.1.1"
    unknown_syntax = file(ct(study)).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.9\0")
    cut = file(ct(study))[:-100]
    bodies = [file(good), file(other_study), file_as_is(no_uid), file_as_is(not_storage), unknown_syntax, cut, b"hello"]
    status, _, answer = post(shared, multipart(bodies), path=f"/studies/{study}")
    assert status == 202
    assert [item["00081155"]["Value"][0] for item in answer["00081199"]["Value"]] == [good.SOPInstanceUID]
    assert sorted(failures(answer)) == sorted([0xC409, 0xC000, 0x0122, 0xC122, 0xC000, 0xC000])
    named = {item["00081155"]["Value"][0]: item["00081197"]["Value"][0] for item in answer["00081198"]["Value"]}
    assert named[other_study.SOPInstanceUID] == 0xC409
    assert named[no_uid.SOPInstanceUID] == 0xC000
    assert named[not_storage.SOPInstanceUID] == 0x0122
    assert len(answer["0008119A"]["Value"]) == 1, "what is no instance at all has no UIDs"
    assert answer["00081190"]["Value"][0].endswith(f"/studies/{study}")
    status, _, answer = post(shared, multipart([b"hello", file_as_is(no_uid)]))
    assert status == 409 and "00081199" not in answer
    assert answer["00081190"] == {"vr": "UR"}
    # pydicom reads both.
    for module in (answer,):
        assert pydicom.Dataset.from_json(module).FailedSOPSequence


def test_other_content_under_a_known_uid_is_kept_and_said(shared):
    first = ct()
    assert post(shared, multipart([file(first)]))[0] == 200
    second = ct(PatientName="OTHER^NAME", SOPInstanceUID=first.SOPInstanceUID)
    second.StudyInstanceUID, second.SeriesInstanceUID = first.StudyInstanceUID, first.SeriesInstanceUID
    second.file_meta.MediaStorageSOPInstanceUID = first.SOPInstanceUID
    status, _, answer = post(shared, multipart([file(second)]))
    assert status == 202
    assert answer["00081199"]["Value"][0]["00081196"]["Value"] == [0xB111]
    assert answer["00081190"] == answer["00081199"]["Value"][0]["00081190"] == {"vr": "UR"}
    assert stored(shared, first) == dataset_bytes(first)


@pytest.mark.parametrize("media", ["application/dicom+xml", "application/xml", "text/xml"])
def test_the_answer_is_xml_where_that_is_asked_for(shared, media):
    request = urllib.request.Request(
        shared.root + "/studies", data=multipart([file(ct()), b"x"]), method="POST",
        headers={"Content-Type": RELATED.format("b0"), "Accept": media},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 202 and answer.headers["Content-Type"] == media
        text = answer.read().decode()
    import xml.etree.ElementTree as ElementTree

    root = ElementTree.fromstring(text)
    assert {child.get("keyword") for child in root} == {"RetrieveURL", "ReferencedSOPSequence", "OtherFailuresSequence"}


@pytest.mark.parametrize(
    ("content_type", "accept", "status"),
    [
        ("multipart/form-data; boundary=b0", "*/*", 415),
        ("text/plain", "*/*", 415),
        ("application/json", "*/*", 415),
        ('multipart/related; type="text/plain"; boundary=b0', "*/*", 415),
        ('multipart/related; type="application/dicom"', "*/*", 400),
        ("multipart/related; boundary=a; boundary=b", "*/*", 400),
        ('multipart/related; boundary=""', "*/*", 400),
        ("multipart/related; boundary=" + "x" * 300, "*/*", 400),
        ("multipart/related; boundary=other", "*/*", 400),
    ],
)
def test_what_is_no_upload_is_refused_with_a_sentence(shared, content_type, accept, status):
    got, headers, answer = post(shared, multipart([file(ct())]), content_type, Accept=accept)
    assert (got, headers["Content-Type"]) == (status, "application/problem+json"), answer
    assert answer["detail"].endswith(".")


def test_a_refusal_reaches_a_client_that_is_still_sending(shared):
    import requests

    for body in (bytes(40_000_000), iter([bytes(1_000_000)] * 40)):
        answer = requests.post(shared.root + "/studies", data=body, headers={"Content-Type": "text/plain"}, timeout=60)
        assert answer.status_code == 415
        answer = requests.post(
            shared.root + "/studies", data=body, timeout=60,
            headers={"Content-Type": RELATED.format("b0"), "X-Forwarded-For": "192.0.2.1"},
        )
        assert answer.status_code == 401


def send(bridge, *pieces: bytes) -> bytes:
    """What comes back on a plain socket."""
    with socket.create_connection(("127.0.0.1", bridge.web), timeout=30) as s:
        for piece in pieces:
            s.sendall(piece)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := s.recv(65536):
                answer += chunk
        return answer


def head(bridge, *lines: str) -> bytes:
    fixed = ["POST /dicom-web/studies HTTP/1.1", f"Host: 127.0.0.1:{bridge.web}", f"Content-Type: {RELATED.format('b0')}"]
    return "\r\n".join([*fixed, *lines, "", ""]).encode()


def test_bodies_of_unknown_length_end_their_connection(shared):
    ds = ct()
    body = multipart([file(ds)])
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + 999]), body[i:i + 999]) for i in range(0, len(body), 999)) + b"0\r\n\r\n"
    second = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{shared.web}\r\n\r\n".encode()
    answer = send(shared, head(shared, "Transfer-Encoding: chunked"), chunks, second)
    assert answer.startswith(b"HTTP/1.1 200") and b"connection: close" in answer.lower()
    assert answer.count(b"HTTP/1.1") == 1, "nothing after it is read as a request"
    for wrong in (["Transfer-Encoding: gzip, chunked"], ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]):
        answer = send(shared, head(shared, *wrong), chunks, second)
        assert answer.startswith(b"HTTP/1.1 400") and answer.count(b"HTTP/1.1") == 1, wrong
    answer = send(shared, head(shared, f"Content-Length: {len(body)}", "Content-Encoding: gzip", "Connection: close"), body)
    assert answer.startswith(b"HTTP/1.1 415")


def test_a_length_that_lies_costs_nobody_anything(shared):
    ds = ct()
    body = multipart([file(ds)])
    # Shorter than the body: what was sent within it ends within the part.
    answer = send(shared, head(shared, f"Content-Length: {len(body) - 500}", "Connection: close"), body)
    assert b"HTTP/1.1 409" in answer and b"49152" in answer
    # Longer: the sender goes away, nobody is answered, nothing is stored.
    with socket.create_connection(("127.0.0.1", shared.web), timeout=30) as s:
        s.sendall(head(shared, f"Content-Length: {len(body) + 500}") + body[:-50])
    # Before the header of an impossible one is even looked at.
    answer = send(shared, head(shared, "Content-Length: 999999999999999", "Connection: close"))
    assert answer.startswith(b"HTTP/1.1 413")
    query = f"/studies?StudyInstanceUID={ds.StudyInstanceUID}"
    with urllib.request.urlopen(shared.root + query, timeout=30) as found:
        assert found.status == 204


def test_five_thousand_parts_in_one_request(shared):
    study, series = generate_uid(), generate_uid()
    one = ct(study, series, size=8)
    template = file(one)
    uid = one.SOPInstanceUID.encode()
    bodies = []
    for number in range(5000):
        new = b"1.2.826.0.1.3680043.10.77.%d" % number
        new += b"." + b"1" * (len(uid) - len(new) - 1)
        bodies.append(template.replace(uid, new[: len(uid)]))
    status, _, answer = post(shared, multipart(bodies))
    assert status == 200 and len(answer["00081199"]["Value"]) == 5000
    with urllib.request.urlopen(f"{shared.root}/studies?StudyInstanceUID={study}", timeout=30) as found:
        assert json.loads(found.read())[0]["00201208"]["Value"] == [5000]


def test_memory_stays_flat_however_large_the_instance(bridge):
    ds = ct(size=8)
    ds.PixelData = b""
    start = file(ds)[:-12]
    size = 600 << 20
    ds.Rows, ds.Columns = 1, 1
    header = start + b"\xE0\x7F\x10\x00OW\x00\x00" + size.to_bytes(4, "little")

    def body():
        yield b"\r\n--b0\r\nContent-Type: application/dicom\r\n\r\n" + header
        for _ in range(size >> 20):
            yield b"\r\n--b1\r\n" + bytes((1 << 20) - 8)
        yield b"\r\n--b0--"

    import requests

    before = peak(bridge)
    answer = requests.post(bridge.root + "/studies", data=body(), headers={"Content-Type": RELATED.format("b0")}, timeout=300)
    assert answer.status_code == 200, answer.text
    assert peak(bridge) - before < 48 << 20
    with urllib.request.urlopen(
        f"{bridge.root}/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances", timeout=30
    ) as found:
        assert len(json.loads(found.read())) == 1


def peak(bridge) -> int:
    for line in open(f"/proc/{bridge.process.pid}/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) << 10
    raise AssertionError("no VmHWM")


def test_a_sender_that_stalls_is_let_go(tmp_path):
    bridge = Bridge(tmp_path, '[limits]\nupload_stall = "1s"\n').start()
    try:
        with socket.create_connection(("127.0.0.1", bridge.web), timeout=30) as s:
            s.sendall(head(bridge, "Content-Length: 1000000") + b"\r\n--b0\r\n")
            assert s.recv(65536).startswith(b"HTTP/1.1 408")
        assert post(bridge, multipart([file(ct())]))[0] == 200
    finally:
        assert bridge.stop() == 0


def test_limits_are_told_per_part_and_uploads_at_once_are_bounded(tmp_path):
    limits = '[limits]\nuploads = 1\nupload_parts = 3\nupload_size = "200KiB"\n'
    bridge = Bridge(tmp_path, limits).start()
    try:
        status, _, answer = post(bridge, multipart([file(ct(size=8)) for _ in range(5)]))
        assert (status, len(answer["00081199"]["Value"]), failures(answer)) == (202, 3, [0xA700])
        assert post(bridge, multipart([file(ct(size=512))]))[0] == 413
        # Of unknown length, the limit comes in the middle.
        import requests

        body = multipart([file(ct(size=8)), file(ct(size=512))])
        answer = requests.post(bridge.root + "/studies", data=iter([body]), headers={"Content-Type": RELATED.format("b0")}, timeout=60)
        assert answer.status_code == 409 or (answer.status_code == 202 and failures(answer.json()) == [0xA700])
        with socket.create_connection(("127.0.0.1", bridge.web), timeout=30) as s:
            s.sendall(head(bridge, "Content-Length: 100000") + b"\r\n--b0\r\n")
            deadline = time.monotonic() + 20
            while post(bridge, multipart([file(ct(size=8))]))[0] != 503 and time.monotonic() < deadline:
                pass
            assert time.monotonic() < deadline
    finally:
        assert bridge.stop() == 0


def test_what_was_acknowledged_is_there_after_a_kill(tmp_path):
    """Uploads run while the daemon is killed; every instance that an answer named is served afterwards."""
    import threading

    import requests

    bridge = Bridge(tmp_path).start()
    acknowledged, lock = {}, threading.Lock()

    def uploads(worker: int) -> None:
        while True:
            instances = [ct(size=32) for _ in range(4)]
            try:
                answer = requests.post(
                    bridge.root + "/studies", data=multipart([file(ds) for ds in instances]),
                    headers={"Content-Type": RELATED.format("b0")}, timeout=30,
                )
            except requests.RequestException:
                return
            named = {item["00081155"]["Value"][0] for item in answer.json().get("00081199", {}).get("Value", [])}
            with lock:
                acknowledged.update({ds.SOPInstanceUID: ds for ds in instances if ds.SOPInstanceUID in named})

    threads = [threading.Thread(target=uploads, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with lock:
            if len(acknowledged) >= 60:
                break
    bridge.kill()
    for thread in threads:
        thread.join()
    assert len(acknowledged) >= 60
    bridge.start()
    try:
        for ds in acknowledged.values():
            assert stored(bridge, ds) == dataset_bytes(ds)
        assert not list((bridge.data / "incoming").iterdir())
    finally:
        assert bridge.stop() == 0
