"""pydicom's own packaged files go in by C-STORE, sent raw, and come back byte-identical, with metadata
equal to pydicom's JSON (numbers compared as numbers; group lengths, (0008,0005) and inline/URI aside)."""
from __future__ import annotations

import base64
import math
from pathlib import Path

import pydicom
import pytest
import raw
import requests
from pydicom import dcmread

FOLDERS = ("test_files", "charset_files")
HERE = Path(pydicom.__file__).parent / "data"

# What is not a storable instance, and what it is told.
REFUSED = {
    "MR_truncated.dcm": 0xC000,
    "rtplan_truncated.dcm": 0xC000,
}


def files() -> list[Path]:
    found = [p for folder in FOLDERS for p in sorted((HERE / folder).rglob("*")) if p.is_file()]
    return [p for p in found if p.suffix in ("", ".dcm") or "DICOMDIR" in p.name]


def same(ours, theirs, tag="") -> bool:
    """DICOM JSON values: numbers as numbers, padding aside."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return all(same(ours.get(k), theirs.get(k), k) for k in {*ours, *theirs})
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(same(a, b, tag) for a, b in zip(ours, theirs))
    if isinstance(ours, bool) or isinstance(theirs, bool):
        return ours == theirs
    try:
        a, b = float(ours), float(theirs)
        return a == b or math.isclose(a, b, rel_tol=1e-9)
    except (TypeError, ValueError):
        return (ours or "") == (theirs or "")


def differences(ours: dict, ds) -> list[str]:
    wrong = []
    theirs = {}
    for element in ds:
        if element.tag.element == 0 or element.tag == 0x00080005 or element.tag.group in (0, 2):
            continue
        key = f"{element.tag:08X}"
        try:
            theirs[key] = element.to_json_dict(lambda e: "uri", 1024)
        except Exception as error:  # pydicom itself cannot say it
            theirs[key] = error
    for key in sorted({*ours, *theirs} - {"00080005"}):
        if key.endswith("0000") and not key.startswith("0000"):
            continue
        a, b = ours.get(key), theirs.get(key)
        if isinstance(b, Exception):
            continue
        if a is None or b is None:
            wrong.append(f"{key}: ours {str(a)[:80]}, pydicom {str(b)[:80]}")
            continue
        if a["vr"] == "UN" and int(key[:4], 16) % 2:
            continue  # pydicom knows the private dictionaries of vendors; we keep the bytes as they are
        if a["vr"] != b["vr"]:
            wrong.append(f"{key}: VR {a['vr']} against {b['vr']}")
        elif {"BulkDataURI", "InlineBinary"} & {*a, *b}:
            inline = [base64.b64decode(x["InlineBinary"]).rstrip(b"\0") for x in (a, b) if "InlineBinary" in x]
            if len(inline) == 2 and inline[0] != inline[1]:
                wrong.append(f"{key}: other bytes")
        elif a["vr"] == "SQ":
            items_a, items_b = a.get("Value", []), b.get("Value", [])
            if len(items_a) != len(items_b):
                wrong.append(f"{key}: {len(items_a)} items against {len(items_b)}")
            else:
                for item, element in zip(items_a, ds[int(key, 16)].value):
                    wrong += [f"{key}/{w}" for w in differences(item, element)]
        elif not same(strip(a.get("Value")), strip(b.get("Value"))):
            wrong.append(f"{key}: ours {str(a)[:120]}, pydicom {str(b)[:120]}")
    return wrong


def strip(value):
    """Trailing empty values and padding do not count."""
    value = [v.strip(" \0") if isinstance(v, str) else v for v in value or []]
    while value and value[-1] in (None, "", {}):
        value.pop()
    return value


@pytest.fixture(scope="module")
def sent(shared):
    rows = []
    for path in files():
        parts = raw.split_part10(path)
        if parts is None or not parts[0] or not parts[1]:
            continue
        rows.append((path, parts, raw.store(shared, [parts])[0]))
    assert len(rows) > 120
    return rows


def test_what_is_a_storable_instance_is_stored_and_the_rest_is_refused_precisely(sent):
    surprising = []
    for path, (sop_class, _, syntax, _), status in sent:
        expected = REFUSED.get(path.name, 0)
        if sop_class == "1.2.840.10008.1.3.10" or syntax == "1.2.840.10008.1.2.1.99":
            expected = None  # a DICOMDIR is no instance; Deflated is for peers whose entry says so
        elif not dcmread(path, stop_before_pixels=True).get("StudyInstanceUID"):
            expected = 0xC000  # without one there is no study to put it in
        if status != expected:
            surprising.append(f"{path.name}: {status if status is None else hex(status)}, expected {expected}")
    assert not surprising, "\n".join(surprising)


def test_every_stored_data_set_comes_back_to_the_byte(shared, sent):
    first: dict[str, bytes] = {}
    for _, (_, uid, _, data), status in sent:
        if status == 0:
            first.setdefault(uid, data)
    for path, (_, uid, _, _), status in sent:
        if status != 0:
            continue
        url = requests.get(f"{shared.root}/instances", params={"SOPInstanceUID": uid}).json()[0]["00081190"]["Value"][0]
        answer = requests.get(url, headers={"Accept": 'application/dicom; transfer-syntax=*'})
        assert answer.status_code == 200, f"{path.name}: {answer.text}"
        assert answer.content.endswith(first[uid]), path.name


def test_metadata_equals_what_pydicom_reads(shared, sent):
    wrong, seen = [], set()
    for path, (_, uid, _, _), status in sent:
        if status != 0 or uid in seen:
            continue
        seen.add(uid)
        url = requests.get(f"{shared.root}/instances", params={"SOPInstanceUID": uid}).json()[0]["00081190"]["Value"][0]
        ours = requests.get(f"{url}/metadata").json()[0]
        wrong += [f"{path.name}: {w}" for w in differences(ours, dcmread(path))]
    assert not wrong, f"{len(wrong)} differences\n" + "\n".join(wrong[:60])
