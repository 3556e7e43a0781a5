"""STOW-RS of metadata and bulk data: what comes back is an instance that pydicom reads, with the document or
the compressed frames in it byte for byte."""
from __future__ import annotations

import base64
import email
import io
import json
import urllib.error
import urllib.request

import numpy
import pydicom
import pydicom.data
import pytest
from conftest import ct
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames
from pydicom.uid import (
    EncapsulatedPDFStorage,
    EncapsulatedSTLStorage,
    SecondaryCaptureImageStorage,
    VideoPhotographicImageStorage,
    VLPhotographicImageStorage,
    generate_uid,
)
from test_stow import failures, file, multipart, post

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"
STL = b"\0" * 80 + (1).to_bytes(4, "little") + bytes(50)
MP4 = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0\0\0\x10stsdavc1" + bytes(100_001)


def element(vr: str, *values) -> dict:
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def metadata(sop_class: str, **more) -> dict:
    return {
        "00080005": element("CS", "ISO_IR 192"),
        "00080016": element("UI", sop_class),
        "00080018": element("UI", generate_uid()),
        "00080020": element("DA", "20261121"),
        "00080060": element("CS", "OT"),
        "00100010": element("PN", {"Alphabetic": "Müller^Jörg", "Ideographic": "山田"}),
        "00100020": element("LO", "META-1"),
        "0020000D": element("UI", generate_uid()),
        "0020000E": element("UI", generate_uid()),
        "00200013": element("IS", 1),
        **{tag.removeprefix("_"): value for tag, value in more.items()},
    }


def related(root: str, *parts: tuple[str, bytes, str | None]) -> tuple[bytes, str]:
    body = b""
    for content_type, data, location in parts:
        body += f"\r\n--b0\r\nContent-Type: {content_type}\r\n".encode()
        body += (f"Content-Location: {location}\r\n" if location else "").encode() + b"\r\n" + data
    return body + b"\r\n--b0--\r\n", f'multipart/related; type="{root}"; boundary=b0'


def store(bridge, datasets, *bulk: tuple[str, bytes, str | None], path: str = "/studies"):
    part = ("application/dicom+json; charset=utf-8", json.dumps(datasets).encode(), None)
    body, content_type = related("application/dicom+json", part, *bulk)
    return post(bridge, body, content_type, path)


def uids(dataset: dict) -> list[str]:
    return [dataset[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018")]


def fetched(bridge, dataset: dict) -> pydicom.Dataset:
    study, series, instance = uids(dataset)
    url = f"{bridge.root}/studies/{study}/series/{series}/instances/{instance}"
    request = urllib.request.Request(url, headers={"Accept": "application/dicom; transfer-syntax=*"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return pydicom.dcmread(io.BytesIO(answer.read()))


def jpeg(width: int = 48, height: int = 32, mode: str = "RGB", **options) -> bytes:
    out = io.BytesIO()
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    pixels = numpy.indices(shape).sum(axis=0).astype("uint8")
    Image.fromarray(pixels, mode).save(out, "JPEG", **options)
    return out.getvalue()


@pytest.mark.parametrize("refers", [True, False], ids=["by its URI", "alone"])
@pytest.mark.parametrize(
    ("sop_class", "media", "data"),
    [(EncapsulatedPDFStorage, "application/pdf", PDF), (EncapsulatedSTLStorage, "model/stl", STL)],
    ids=["PDF", "STL"],
)
def test_a_document_becomes_an_instance(shared, sop_class, media, data, refers):
    dataset = metadata(sop_class)
    if refers:
        dataset["00420011"] = {"vr": "OB", "BulkDataURI": "doc/1"}
    status, _, answer = store(shared, [dataset], (media, data, "doc/1" if refers else None))
    assert status == 200, answer
    assert answer["00081199"]["Value"][0]["00081155"]["Value"] == [uids(dataset)[2]]
    ds = fetched(shared, dataset)
    assert (ds.SOPClassUID, ds.MIMETypeOfEncapsulatedDocument) == (sop_class, media)
    assert ds.EncapsulatedDocument[: ds.EncapsulatedDocumentLength] == data
    assert len(ds.EncapsulatedDocument) == len(data) + len(data) % 2
    assert str(ds.PatientName) == "Müller^Jörg=山田"


def test_what_an_encapsulated_document_does_not_hold_is_refused(shared):
    for data, media in ((jpeg(), "image/jpeg"), (STL, "model/stl")):
        status, _, answer = store(shared, [metadata(EncapsulatedPDFStorage)], (media, data, None))
        assert (status, failures(answer)) == (409, [0xA900]), media
    dataset = metadata(EncapsulatedPDFStorage)
    assert store(shared, [dataset], ("application/octet-stream", PDF, None))[0] == 200
    assert fetched(shared, dataset).MIMETypeOfEncapsulatedDocument == "application/pdf"
    # Two documents are not one: which of them is meant, nobody said.
    status, _, answer = store(shared, [metadata(EncapsulatedPDFStorage)], *[("application/pdf", PDF, None)] * 2)
    assert (status, failures(answer)) == (202, [0xC000, 0xC000])


def test_a_waveform_goes_out_as_metadata_and_comes_back_the_same(shared):
    # Its bulk data is in items of a sequence, and the request has no other data set.
    source = pydicom.dcmread(get_testdata_file("waveform_ecg.dcm"))
    source.SOPInstanceUID = source.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    assert post(shared, multipart([file(source)]))[0] == 200
    url = f"{shared.root}/studies/{source.StudyInstanceUID}/series/{source.SeriesInstanceUID}/instances/{source.SOPInstanceUID}"
    with urllib.request.urlopen(url + "/metadata", timeout=30) as answer:
        (dataset,) = json.loads(answer.read())
    bulk = []
    for item in dataset["54000100"]["Value"]:
        uri = item["54001010"]["BulkDataURI"]
        with urllib.request.urlopen(uri, timeout=30) as answer:
            value = answer.read()
        bulk.append(("application/octet-stream", value, uri))
    assert len(bulk) == 2
    dataset["00080018"]["Value"] = [generate_uid()]
    status, _, answer = store(shared, [dataset], *bulk)
    assert status == 200, answer
    back = fetched(shared, dataset)
    assert [item.WaveformData for item in back.WaveformSequence] == [item.WaveformData for item in source.WaveformSequence]


def test_a_photograph_is_described_by_its_jpeg(shared):
    data = jpeg()
    for sop_class in (VLPhotographicImageStorage, SecondaryCaptureImageStorage):
        dataset = metadata(sop_class, _7FE00010={"vr": "OB", "BulkDataURI": "http://elsewhere.example/photo"})
        status, _, answer = store(shared, [dataset], ("image/jpeg", data, "http://elsewhere.example/photo"))
        assert status == 200, answer
        ds = fetched(shared, dataset)
        assert ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"
        assert (ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.BitsStored) == (32, 48, 3, 8)
        assert (ds.PhotometricInterpretation, ds.LossyImageCompression) == ("YBR_FULL_422", "01")
        frame = next(generate_frames(ds.PixelData, number_of_frames=1))
        assert frame[: len(data)] == data
        assert ds.pixel_array.shape == (32, 48, 3)


def test_frames_come_in_parts_of_one_name(shared):
    frames = [jpeg(mode="L", quality=quality) for quality in (50, 70, 90)]
    dataset = metadata(SecondaryCaptureImageStorage, _7FE00010={"vr": "OB", "BulkDataURI": "f"})
    status, _, answer = store(shared, [dataset], *(("image/jpeg", frame, "f") for frame in frames))
    assert status == 200, answer
    ds = fetched(shared, dataset)
    assert (ds.NumberOfFrames, ds.PhotometricInterpretation) == (3, "MONOCHROME2")
    assert [f[: len(g)] for f, g in zip(generate_frames(ds.PixelData, number_of_frames=3), frames)] == frames
    with urllib.request.urlopen(
        urllib.request.Request(
            "{}/studies/{}/series/{}/instances/{}/frames/2".format(shared.root, *uids(dataset)),
            headers={"Accept": "image/jpeg"},
        ),
        timeout=30,
    ) as answer:
        assert answer.read()[: len(frames[1])] == frames[1]


@pytest.mark.parametrize("name", ["examples_ybr_color.dcm", "JPEG2000.dcm", "MR_small_RLE.dcm"])
def test_what_was_retrieved_as_metadata_and_bulk_data_goes_back_as_it_came(shared, name):
    source = pydicom.dcmread(pydicom.data.get_testdata_file(name))
    source.StudyInstanceUID, source.SeriesInstanceUID, source.SOPInstanceUID = (generate_uid() for _ in range(3))
    file = io.BytesIO()
    source.save_as(file)
    body, content_type = related("application/dicom", ("application/dicom", file.getvalue(), None))
    assert post(shared, body, content_type)[0] == 200
    url = f"{shared.root}/studies/{source.StudyInstanceUID}/series/{source.SeriesInstanceUID}/instances/{source.SOPInstanceUID}"
    with urllib.request.urlopen(f"{url}/metadata", timeout=60) as answer:
        dataset = json.loads(answer.read())[0]
    bulk = []
    for place in {element["BulkDataURI"] for element in dataset.values() if "BulkDataURI" in element}:
        request = urllib.request.Request(place, headers={"Accept": 'multipart/related; type="*/*"'})
        with urllib.request.urlopen(request, timeout=60) as answer:
            message = f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode() + answer.read()
        for part in email.message_from_bytes(message).get_payload():
            bulk.append((part["Content-Type"], part.get_payload(decode=True), part["Content-Location"]))
    dataset["00080018"]["Value"] = [generate_uid()]
    status, _, answer = store(shared, [dataset], *bulk)
    assert status == 200, answer
    back = fetched(shared, dataset)
    assert back.file_meta.TransferSyntaxUID == source.file_meta.TransferSyntaxUID
    count = int(source.get("NumberOfFrames", 1))
    frames = [list(generate_frames(ds.PixelData, number_of_frames=count)) for ds in (back, source)]
    assert [frame.rstrip(b"\0") for frame in frames[0]] == [frame.rstrip(b"\0") for frame in frames[1]]


def test_a_video_is_one_stream_of_one_fragment(shared):
    described = {
        "_00280002": element("US", 3), "_00280004": element("CS", "YBR_PARTIAL_420"), "_00280006": element("US", 0),
        "_00280008": element("IS", 25), "_00280010": element("US", 1080), "_00280011": element("US", 1920),
        "_00280100": element("US", 8), "_00280101": element("US", 8), "_00280102": element("US", 7),
        "_00280103": element("US", 0), "_7FE00010": {"vr": "OB", "BulkDataURI": "v"},
    }
    dataset = metadata(VideoPhotographicImageStorage, **described)
    assert store(shared, [dataset], ("video/mp4", MP4, "v"))[0] == 200
    ds = fetched(shared, dataset)
    assert ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.102"
    assert next(generate_frames(ds.PixelData, number_of_frames=1))[: len(MP4)] == MP4
    dataset = metadata(VideoPhotographicImageStorage, **described)
    media = "video/mp4; transfer-syntax=1.2.840.10008.1.2.4.107"
    assert store(shared, [dataset], (media, MP4, "v"))[0] == 200
    assert fetched(shared, dataset).file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.107"
    # What the stream does not say, the metadata must.
    status, _, answer = store(shared, [metadata(VideoPhotographicImageStorage, _7FE00010=described["_7FE00010"])], ("video/mp4", MP4, "v"))
    assert (status, failures(answer)) == (409, [0xA900])
    assert "(0028,0002)" in json.dumps(answer["00081198"])


@pytest.mark.parametrize("form", ["json", "xml", "python"])
def test_a_whole_study_goes_out_as_metadata_and_comes_back_the_same(shared, form):
    source = [ct(number=n, size=16) for n in (1, 2, 3)]
    for ds in source[1:]:
        ds.StudyInstanceUID, ds.SeriesInstanceUID = source[0].StudyInstanceUID, source[0].SeriesInstanceUID
    bulk, documents = [], []
    for number, ds in enumerate(source):
        ds.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"
        item = pydicom.Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "113000", "DCM", "Of <Interest> & \"more\""
        ds.ConceptNameCodeSequence = [item, pydicom.Dataset()]
        bulk.append(("application/octet-stream", ds.PixelData, f"px/{number}"))
        documents.append(ds.to_json_dict(256, lambda element, number=number: f"px/{number}"))
    if form == "xml":
        parts = [("application/dicom+xml", native(document), None) for document in documents]
        body, content_type = related("application/dicom+xml", *parts, *bulk)
        status, _, answer = post(shared, body, content_type)
    elif form == "json":
        status, _, answer = store(shared, documents, *bulk)
    else:
        # Everything inline, as one data set that is not in an array.
        status = 200
        for ds in source:
            one, _, answer = store(shared, json.loads(ds.to_json(1 << 20)))
            status = max(status, one)
    assert status == 200, answer
    for ds in source:
        back = fetched(shared, ds.to_json_dict())
        assert back.PixelData == ds.PixelData
        back.file_meta = ds.file_meta
        assert back == ds


def native(document: dict) -> bytes:
    """The Native DICOM Model by hand, so that nothing of ours writes what ours reads."""
    import xml.etree.ElementTree as ElementTree

    def fill(parent, dataset):
        for tag, attribute in dataset.items():
            node = ElementTree.SubElement(parent, "DicomAttribute", tag=tag, vr=attribute["vr"])
            if uri := attribute.get("BulkDataURI"):
                ElementTree.SubElement(node, "BulkData", uri=uri)
            for number, value in enumerate(attribute.get("Value", []), 1):
                if attribute["vr"] == "SQ":
                    fill(ElementTree.SubElement(node, "Item", number=str(number)), value)
                elif attribute["vr"] == "PN":
                    name = ElementTree.SubElement(node, "PersonName", number=str(number))
                    for group, text in value.items():
                        written = ElementTree.SubElement(name, group)
                        for part, component in zip(("FamilyName", "GivenName"), text.split("^")):
                            ElementTree.SubElement(written, part).text = component
                else:
                    ElementTree.SubElement(node, "Value", number=str(number)).text = str(value)

    root = ElementTree.Element("NativeDicomModel", {"xmlns": "http://dicom.nema.org/PS3.19/models/NativeDICOM"})
    fill(root, document)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)


def test_what_is_missing_or_wrong_is_told_per_instance(shared):
    pixels = {"vr": "OB", "BulkDataURI": "p"}
    good = metadata(EncapsulatedPDFStorage, _00420011={"vr": "OB", "BulkDataURI": "d"})
    cases = {
        "no series": (metadata(EncapsulatedPDFStorage, _0020000E=element("UI")), 0xC000),
        "bad uid": (metadata(EncapsulatedPDFStorage, _0020000D=element("UI", "1.x")), 0xC000),
        "no such part": (metadata(EncapsulatedPDFStorage, _00420011={"vr": "OB", "BulkDataURI": "http://169.254.169.254/"}), 0xC902),
        "bad value": (metadata(EncapsulatedPDFStorage, _00280010=element("US", 70000)), 0xC901),
        "bad vr": (metadata(EncapsulatedPDFStorage, _00280010=element("ZZ", 1)), 0xC901),
        "bad tag": (metadata(EncapsulatedPDFStorage, _Rows=element("US", 1)), 0xC901),
        "a PDF is no STL": (metadata(EncapsulatedSTLStorage, _00420011={"vr": "OB", "BulkDataURI": "d"}), 0xA900),
        "no picture": (metadata(SecondaryCaptureImageStorage, _7FE00010=pixels), 0xC000),
        "not storage": (metadata("1.2.840.10008.5.1.4.1.2.1.1"), 0x0122),
    }
    datasets = [good, *(dataset for dataset, _ in cases.values())]
    status, _, answer = store(
        shared, datasets, ("application/pdf", PDF, "d"), ("image/jpeg", b"no jpeg", "p"), ("text/plain", b"x", "nobody's")
    )
    assert status == 202
    assert [item["00081155"]["Value"][0] for item in answer["00081199"]["Value"]] == [uids(good)[2]]
    told = {item["00081155"]["Value"][0]: item["00081197"]["Value"][0] for item in answer["00081198"]["Value"]}
    for what, (dataset, code) in cases.items():
        assert told[dataset["00080018"]["Value"][0]] == code, what
    others = [item["00081197"]["Value"][0] for item in answer["0008119A"]["Value"]]
    assert 0xC000 in others, "a part that nothing refers to"


@pytest.mark.parametrize(
    "document",
    [b"", b"{", b"7", b"[7]", b"[" * 100_000, b'{"00080018":' * 1000, b'[{"00081199":{"vr":"SQ","Value":' * 60, b"\xff\xfe"],
    ids=["empty", "cut", "number", "array of numbers", "deep array", "deep object", "deep sequences", "no UTF-8"],
)
def test_hostile_metadata_is_one_failure_and_nothing_else(shared, document):
    for root in ("application/dicom+json", "application/dicom+xml"):
        body, content_type = related(root, (root, document, None))
        status, _, answer = post(shared, body, content_type)
        assert (status, failures(answer)) == (409, [0xC901])
    entity = b'<!DOCTYPE x [<!ENTITY a "b">]><NativeDicomModel>&a;</NativeDicomModel>'
    body, content_type = related("application/dicom+xml", ("application/dicom+xml", entity, None))
    assert failures(post(shared, body, content_type)[2]) == [0xC901]


def test_metadata_of_another_study_than_the_url_is_refused(shared):
    dataset = metadata(EncapsulatedPDFStorage, _00420011={"vr": "OB", "InlineBinary": base64.b64encode(PDF + b"\n").decode()})
    assert failures(store(shared, [dataset], path="/studies/1.2.3")[2]) == [0xC409]
    assert store(shared, [dataset], path=f"/studies/{uids(dataset)[0]}")[0] == 200
    status, _, answer = store(shared, [dataset])
    assert status == 200, "the same again is the same"


GREY = {
    "_00280002": element("US", 1), "_00280004": element("CS", "MONOCHROME2"), "_00280010": element("US", 4),
    "_00280011": element("US", 4), "_00280100": element("US", 16), "_00280101": element("US", 16),
    "_00280102": element("US", 15), "_00280103": element("US", 0),
}


@pytest.mark.parametrize(
    ("media", "code"),
    [
        ("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.2", 0xC122),
        ("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1.99", 0xC122),
        ("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.50", 0xC000),
        ("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.90", 0xC000),
        ("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.110", 0xC000),
        ("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.5", 0xC000),
        ("image/dicom-rle", 0xC000),
        ("video/mp4", 0xC000),
    ],
)
def test_bulk_data_is_not_stored_as_what_it_is_not(shared, media, code):
    samples = numpy.arange(1000, 1016, dtype="<u2").tobytes()
    dataset = metadata(SecondaryCaptureImageStorage, _7FE00010={"vr": "OW", "BulkDataURI": "p"}, **GREY)
    status, _, answer = store(shared, [dataset], (media, samples, "p"))
    assert (status, failures(answer)) == (409, [code])
    assert store(shared, [dataset], ("application/octet-stream", samples, "p"))[0] == 200
    assert fetched(shared, dataset).PixelData == samples


def test_numbers_in_big_endian_are_refused_wherever_that_is_said(shared):
    waveform = {"5400": {"vr": "SQ", "Value": [{"54001010": {"vr": "OW", "BulkDataURI": "w"}}]}}
    dataset = metadata("1.2.840.10008.5.1.4.1.1.9.1.1", _54000100=waveform["5400"])
    said = ("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.2", b"\0\1" * 8, "w")
    assert failures(store(shared, [dataset], said)[2]) == [0xC122]
    dataset = metadata(
        SecondaryCaptureImageStorage, _7FE00010={"vr": "OW", "BulkDataURI": "p"},
        _00020010=element("UI", "1.2.840.10008.1.2.2"), **GREY,
    )
    assert failures(store(shared, [dataset], ("application/octet-stream", bytes(32), "p"))[2]) == [0xC122]


def test_of_two_parts_of_one_name_none_is_dropped(shared):
    dataset = metadata(EncapsulatedPDFStorage, _00420011={"vr": "OB", "BulkDataURI": "d"})
    status, _, answer = store(shared, [dataset], ("application/pdf", PDF, "d"), ("application/pdf", PDF + b"\n2", "d"))
    assert (status, failures(answer)) == (409, [0xC000])
    assert "(0042,0011)" in json.dumps(answer)


@pytest.mark.parametrize("data", [b"", b"hello", b"\xff\xd8\xff\xe0 no document"], ids=["empty", "text", "JPEG"])
def test_a_document_is_one(shared, data):
    for media in ("application/pdf", "application/octet-stream"):
        dataset = metadata(EncapsulatedPDFStorage, _00420011={"vr": "OB", "BulkDataURI": "d"})
        assert failures(store(shared, [dataset], (media, data, "d"))[2]) == [0xA900]


def test_colours_follow_the_codestream(shared):
    for mode, said, samples, colours in (("RGB", "MONOCHROME2", 3, "YBR_FULL_422"), ("L", "RGB", 1, "MONOCHROME2"), ("L", "MONOCHROME1", 1, "MONOCHROME1")):
        dataset = metadata(
            SecondaryCaptureImageStorage, _7FE00010={"vr": "OB", "BulkDataURI": "p"}, _00280004=element("CS", said)
        )
        assert store(shared, [dataset], ("image/jpeg", jpeg(mode=mode), "p"))[0] == 200
        ds = fetched(shared, dataset)
        assert (ds.SamplesPerPixel, ds.PhotometricInterpretation) == (samples, colours), (mode, said)


def test_one_data_set_that_cannot_be_read_does_not_take_the_others_with_it(shared):
    good = metadata(EncapsulatedPDFStorage, _00420011={"vr": "OB", "InlineBinary": base64.b64encode(PDF).decode()})
    twice = json.dumps(good).replace('"00100020"', '"00100020": {"vr": "LO", "Value": ["OTHER"]}, "00100020"', 1)
    document = f'[{json.dumps(good)}, {{"00280010": {{"vr": "US", "Value": [1e999]}}}}, {twice}, null]'
    body, content_type = related("application/dicom+json", ("application/dicom+json", document.encode(), None))
    status, _, answer = post(shared, body, content_type)
    assert (status, failures(answer)) == (202, [0xC901] * 3)
    comments = json.dumps(answer["0008119A"])
    assert all(words in comments for words in ("number out of range", "two members of one name", "not an object"))
    assert fetched(shared, good).PatientID == "META-1"


def test_what_is_nested_as_deep_as_may_be_stored_comes_in_as_metadata(shared):
    item: dict = {}
    for _ in range(60):
        item = {"0040A730": {"vr": "SQ", "Value": [item]}}
    dataset = metadata(SecondaryCaptureImageStorage, _0040A730={"vr": "SQ", "Value": [item]})
    assert store(shared, [dataset])[0] == 200
    for _ in range(10):
        item = {"0040A730": {"vr": "SQ", "Value": [item]}}
    status, _, answer = store(shared, [metadata(SecondaryCaptureImageStorage, _0040A730={"vr": "SQ", "Value": [item]})])
    assert (status, failures(answer)) == (409, [0xC901]) and "nested too deeply" in json.dumps(answer)


@pytest.mark.parametrize(
    "element_",
    [
        {"vr": "PN", "Value": [{"Foo": "x"}]},
        {"vr": "OB", "Value": ["x"], "InlineBinary": "AAE="},
        {"vr": "OB", "BulkDataURI": "d", "InlineBinary": "AAE="},
    ],
    ids=["no group of a name", "two values", "value and reference"],
)
def test_values_that_say_two_things_are_refused(shared, element_):
    dataset = metadata(EncapsulatedPDFStorage, _00420011={"vr": "OB", "BulkDataURI": "d"}, _00081048=element_)
    status, _, answer = store(shared, [dataset], ("application/pdf", PDF, "d"))
    assert (status, failures(answer)) == (409, [0xC901]) and "(0008,1048)" in json.dumps(answer)


@pytest.mark.parametrize("inline", [True, False], ids=["in the metadata", "as a part"])
def test_pixel_data_in_the_metadata_is_held_against_its_attributes_too(shared, inline):
    def send(value: bytes) -> tuple[int, list[int]]:
        said = {"InlineBinary": base64.b64encode(value).decode()} if inline else {"BulkDataURI": "p"}
        dataset = metadata(SecondaryCaptureImageStorage, _7FE00010={"vr": "OW", **said}, **GREY)
        bulk = [] if inline else [("application/octet-stream", value, "p")]
        status, _, answer = store(shared, [dataset], *bulk)
        return status, failures(answer)

    samples = numpy.arange(1000, 1016, dtype="<u2").tobytes()
    assert send(samples) == (200, [])
    assert send(samples[:-2]) == (409, [0xA900])
    # Compressed Pixel Data as it stands in a file, longer than the pixels that it holds.
    items = b"\xfe\xff\0\xe0\0\0\0\0" + b"\xfe\xff\0\xe0" + (64).to_bytes(4, "little") + bytes(64) + b"\xfe\xff\xdd\xe0\0\0\0\0"
    assert send(items) == (409, [0xC000])
    # Samples that happen to be the same.
    assert send(b"\xfe\xff\0\xe0" + samples[4:]) == (200, [])
