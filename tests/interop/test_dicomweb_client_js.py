"""npm's dicomweb-client, its whole API with default settings, in Node."""
from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pydicom
import pytest
from conftest import ct, save
from pydicom.filebase import DicomBytesIO
from pydicom.uid import generate_uid

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("js") / "dicomweb_client.js"


@pytest.fixture(scope="module")
def packages() -> Path:
    """dicomweb-client and the XMLHttpRequest that it expects of a browser."""
    folder = ROOT / "target" / "dicomweb-client"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "node_modules" / "dicomweb-client").is_dir():
        command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", folder, "dicomweb-client", "xhr2"]
        subprocess.run(command, check=True, timeout=300, capture_output=True)
    return folder / "node_modules"


@pytest.fixture(scope="module")
def told(shared, packages, tmp_path_factory):
    """What became of each call, and the images that were uploaded."""
    folder = tmp_path_factory.mktemp("js")
    study, series = generate_uid(), generate_uid()
    images = [ct(study, series, number) for number in range(1, 4)]
    files = [str(save(image, folder / f"{number}.dcm")) for number, image in enumerate(images)]
    asked = {"root": shared.root, "study": study, "series": series, "instance": images[0].SOPInstanceUID, "files": files}
    (folder / "asked.json").write_text(json.dumps(asked))
    done = subprocess.run(["node", SCRIPT, folder / "asked.json"], capture_output=True, text=True, timeout=120,
                          env=os.environ | {"NODE_PATH": str(packages)})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), images


def answer(told, name):
    found = told[0][name]
    assert "error" not in found, f"{name}: {found}"
    return found["answer"]


def test_every_call_is_answered_and_tells_its_progress(told):
    calls = {name: call for name, call in told[0].items() if isinstance(call, dict)}
    assert len(calls) == 22
    assert not {name: call for name, call in calls.items() if "error" in call}
    silent = [name for name, call in calls.items() if not call["progress"]]
    assert not silent, f"no progress was told by {silent}"


def test_it_searches_and_reads_metadata_at_every_level(told):
    _, images = told
    study = answer(told, "searchForStudies")
    assert [row["0020000D"]["Value"] for row in study] == [[images[0].StudyInstanceUID]]
    assert study[0]["00201208"]["Value"] == [3]
    assert len(answer(told, "searchForSeries")) == 1 and len(answer(told, "searchForInstances")) == 3
    assert len(answer(told, "retrieveStudyMetadata")) == len(answer(told, "retrieveSeriesMetadata")) == 3
    # This client unwraps the one instance or leaves the array, by its version.
    metadata = answer(told, "retrieveInstanceMetadata")
    metadata = metadata[0] if isinstance(metadata, list) else metadata
    assert metadata["00080018"]["Value"] == [images[0].SOPInstanceUID]


def test_what_it_retrieves_is_what_was_stored(told):
    _, images = told
    pixels = hashlib.sha256(images[0].PixelData).hexdigest()
    for name in ("retrieveInstanceFrames", "retrieveBulkData"):
        found = answer(told, name)
        found = found[0] if isinstance(found, list) else found
        assert found["sha256"] == pixels, name
    lengths = [file["length"] for file in answer(told, "retrieveStudy")]
    assert lengths == [file["length"] for file in answer(told, "retrieveSeries")] and len(lengths) == 3
    whole = answer(told, "retrieveInstance")
    assert whole["length"] in lengths and whole["head"] == "00" * 8
    buffer = DicomBytesIO()
    pydicom.dcmwrite(buffer, images[0], enforce_file_format=True)
    # Only the file meta is ours.
    assert abs(whole["length"] - len(buffer.getvalue())) < 200


def test_a_range_of_a_value_is_these_bytes(told):
    """Without If-Range, each answer read as a multipart body of its own."""
    pixels = told[1][0].PixelData
    for name, expected in (("0,9", pixels[:10]), ("0,999", pixels[:1000]), ("100", pixels[100:])):
        found = answer(told, f"retrieveBulkData of {name}")
        found = found[0] if isinstance(found, list) else found
        assert (found["length"], found["sha256"]) == (len(expected), hashlib.sha256(expected).hexdigest()), name


def test_pictures_are_pictures(told):
    def head(name):
        found = answer(told, name)
        return (found[0] if isinstance(found, list) else found)["head"]

    for name in ("retrieveInstanceRendered", "retrieveInstanceThumbnail", "retrieveInstanceFramesThumbnail",
                 "retrieveInstanceFramesRendered as JPEG"):
        assert head(name).startswith("ffd8ff"), name
    assert head("retrieveInstanceRendered as PNG") == b"\x89PNG\r\n\x1a\n".hex()
    # By default this client reads the rendered frame as text.
    assert "JFIF" in answer(told, "retrieveInstanceFramesRendered")


def test_what_it_stores_is_named_in_the_answer(told):
    _, images = told
    for name in ("storeInstances", "storeInstances of a study"):
        stored = answer(told, name)
        stored = json.loads(stored) if isinstance(stored, str) else stored
        uids = [item["00081155"]["Value"][0] for item in stored["00081199"]["Value"]]
        assert uids == [image.SOPInstanceUID for image in images], "stored again it is the same"
        assert "00081198" not in stored
