"""Our Native DICOM Model (PS3.19 Annex A.1), read by an ordinary XML parser: it has the form that PS3.19 says, says what
DCMTK's dcm2xml says of the same file, and what our own DICOM JSON says."""
from __future__ import annotations

import re
import subprocess
import xml.etree.ElementTree as ET
from email.parser import BytesParser

import pytest
import raw
import requests
from conftest import ct, save
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid
from pynetdicom.dsutils import encode

NAME_GROUPS = ["Alphabetic", "Ideographic", "Phonetic"]
NAME_PARTS = ["FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix"]


def local(element: ET.Element) -> str:
    return element.tag.rsplit("}", 1)[-1]


def person(element: ET.Element) -> dict[str, str]:
    """One PersonName as DICOM JSON writes it."""
    groups = {}
    for group in element:
        assert local(group) in NAME_GROUPS
        parts = {local(part): part.text or "" for part in group}
        assert set(parts) <= set(NAME_PARTS) and len(parts) == len(group)
        groups[local(group)] = "^".join(parts.get(name, "") for name in NAME_PARTS).rstrip("^")
    return groups


def read(dataset: ET.Element) -> dict[str, tuple]:
    """(vr, values) by tag, held to the form of PS3.19 Table A.1.5-2 on the way."""
    found = {}
    for element in dataset:
        assert local(element) == "DicomAttribute" and set(element.attrib) <= {"tag", "vr", "keyword", "privateCreator"}
        tag, vr = element.attrib["tag"], element.attrib["vr"]
        assert re.fullmatch(r"[0-9A-F]{8}", tag)
        if "privateCreator" in element.attrib:
            assert tag[4:6] == "00", "the creator says whose it is, the block says nothing"
            tag = f"{tag} of {element.attrib['privateCreator']}"
        assert tag not in found
        assert re.fullmatch(r"[A-Z]{2}", vr)
        values, number = [], 0
        for child in element:
            kind = local(child)
            if kind in ("BulkData", "InlineBinary"):
                assert len(element) == 1
                values = [kind]
                assert kind != "BulkData" or set(child.attrib) in ({"uri"}, {"uuid"})
                continue
            assert kind in ("Value", "PersonName", "Item") and int(child.attrib["number"]) > number
            number = int(child.attrib["number"])
            values += [None] * (number - 1 - len(values))
            values.append({"Value": lambda: child.text or "", "PersonName": lambda: person(child),
                           "Item": lambda: read(child)}[kind]())
        found[tag] = (vr, values)
    return found


def of_json(dataset: dict) -> dict[str, tuple]:
    """DICOM JSON in the same form."""
    found = {}
    for tag, element in dataset.items():
        values = element.get("Value", [])
        if "BulkDataURI" in element or "InlineBinary" in element:
            values = ["BulkData" if "BulkDataURI" in element else "InlineBinary"]
        elif element["vr"] == "SQ":
            values = [of_json(item) for item in values]
        elif element["vr"] != "PN":
            values = [None if value is None else value for value in values]
        creator = dataset.get(f"{tag[:4]}00{tag[4:6]}") if int(tag[3], 16) % 2 and tag[4:6] != "00" else None
        if creator:
            tag = f"{tag[:4]}00{tag[6:]} of {creator['Value'][0]}"
        found[tag] = (element["vr"], values)
    return found


def same(one, other) -> bool:
    """The same value, written as text or as a number."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (int, float)) or isinstance(other, (int, float)):
        return float(one) == float(other)
    return (one or "") == (other or "")


@pytest.fixture(scope="module")
def image():
    ds = ct(generate_uid(), generate_uid(), PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう")
    ds.OtherPatientNames = ["Ross^Ellen^^Dr.", "Müller^Jörg"]
    ds.PatientComments = "5 < 6 & \"7\" > 'x'\r\n  second line"
    ds.StudyDescription = ""
    ds.WindowCenter, ds.WindowWidth = [40, 400.5], [80, 2000]
    ds.SmallestImagePixelValue = 3
    ds.add_new(0x00180050, "DS", "1.50")
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "T-D3000", "SRT", "Chest & more"
    step = Dataset()
    step.ScheduledProcedureStepID, step.ScheduledProtocolCodeSequence = "S1", Sequence([code])
    ds.RequestAttributesSequence = Sequence([step, Dataset()])
    ds.ProcedureCodeSequence = Sequence([])
    block = ds.private_block(0x0029, "BLUEBRIDGE TEST", create=True)
    block.add_new(0x01, "LO", "private")
    return ds


@pytest.fixture(scope="module")
def stored(shared, image):
    rows = [(image.SOPClassUID, image.SOPInstanceUID, image.file_meta.TransferSyntaxUID, encode(image, False, True))]
    assert raw.store(shared, rows) == [0]
    return image


def parts(answer: requests.Response) -> list[ET.Element]:
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("multipart/related")
    assert 'type="application/dicom+xml"' in answer.headers["content-type"]
    head = b"Content-Type: " + answer.headers["content-type"].encode() + b"\r\n\r\n"
    found = BytesParser().parsebytes(head + answer.content).get_payload()
    assert all(part.get_content_type() == "application/dicom+xml" for part in found)
    roots = [ET.fromstring(part.get_payload(decode=True)) for part in found]
    assert all(local(root) == "NativeDicomModel" for root in roots)
    return roots


def both(shared, path: str) -> tuple[list, list]:
    """What XML and what JSON say."""
    xml = requests.get(f"{shared.root}{path}", headers={"Accept": 'multipart/related; type="application/dicom+xml"'}, timeout=10)
    json = requests.get(f"{shared.root}{path}", headers={"Accept": "application/dicom+json"}, timeout=10)
    return [read(root) for root in parts(xml)], [of_json(row) for row in json.json()]


def difference(one: dict, other: dict) -> dict:
    return {tag: (one.get(tag), other.get(tag)) for tag in sorted(one.keys() | other.keys())
            if tag not in one or tag not in other or not same(one[tag], other[tag])}


def test_searches_and_metadata_say_in_xml_what_they_say_in_json(shared, stored):
    study = f"/studies/{stored.StudyInstanceUID}"
    for path in (f"/studies?StudyInstanceUID={stored.StudyInstanceUID}&includefield=all", f"{study}/series?includefield=all",
                 f"{study}/instances?includefield=all", f"{study}/metadata"):
        xml, json = both(shared, path)
        assert len(xml) == len(json) == 1
        assert not difference(xml[0], json[0]), path


def test_metadata_says_what_dcmtk_says_of_the_file(shared, stored, tmp_path):
    [ours], _ = both(shared, f"/studies/{stored.StudyInstanceUID}/metadata")
    file = save(stored, tmp_path / "image.dcm")
    done = subprocess.run(["dcm2xml", "--native-format", "--convert-to-utf8", file], capture_output=True, timeout=30)
    if b"not available" in done.stderr or b"unknown option" in done.stderr.lower():
        done = subprocess.run(["dcm2xml", "--native-format", file], capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr
    theirs = read(ET.fromstring(done.stdout))
    theirs = {tag: value for tag, value in theirs.items() if not tag.startswith("0002")}
    # DCMTK leaves pixel data out; we say where it is.
    assert ours.pop("7FE00010")[1] == ["BulkData"]
    theirs.pop("7FE00010", None)
    assert "00290001 of BLUEBRIDGE TEST" in ours
    assert not difference(ours, theirs)
