"""The download, judged by other people's software."""
import io
import re
import subprocess
import zipfile

import pytest
import raw
import requests
from conftest import ct
from dicomweb_client.api import DICOMwebClient
from pydicom import dcmread
from pydicom.fileset import FileSet
from pydicom.uid import generate_uid
from pynetdicom.dsutils import encode


def run(*args, **kwargs):
    return subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=120, **kwargs)


@pytest.fixture(scope="module")
def package(shared, tmp_path_factory):
    study, series = generate_uid(), [generate_uid(), generate_uid()]
    instances = [ct(study, series[n % 2], n + 1, PatientName="Müller^Jörg") for n in range(6)]
    for ds in instances:
        assert raw.store(shared, [(ds.SOPClassUID, ds.SOPInstanceUID, ds.file_meta.TransferSyntaxUID, encode(ds, False, True))]) == [0]
    answer = requests.get(f"{shared.root}/studies/{study}", headers={"Accept": "application/zip"})
    assert answer.status_code == 200, answer.text
    folder = tmp_path_factory.mktemp("package")
    (folder / "images.zip").write_bytes(answer.content)
    zipfile.ZipFile(io.BytesIO(answer.content)).extractall(folder / "out")
    return instances, folder


def test_unzip_finds_no_fault_and_python_agrees(package):
    _, folder = package
    assert run("unzip", "-t", folder / "images.zip").returncode == 0
    with zipfile.ZipFile(folder / "images.zip") as z:
        assert z.testzip() is None
        names = z.namelist()
    assert {"README.TXT", "INDEX.HTM", "DICOMDIR", "SHA256.TXT"} <= set(names)
    for name in names:
        assert re.fullmatch(r"(DICOM/PT\d{6}/ST\d{6}/SE\d{6}/IM\d{6})|[A-Z0-9_]{1,8}(\.[A-Z0-9]{1,3})?", name), name


def test_the_checksums_hold(package):
    _, folder = package
    assert run("sha256sum", "-c", "SHA256.TXT", cwd=folder / "out").returncode == 0


def test_the_readme_is_plain_and_names_nobody(package):
    _, folder = package
    text = (folder / "out" / "README.TXT").read_bytes()
    assert text.isascii() and all(len(line) <= 72 for line in text.split(b"\r\n"))
    assert b"ller" not in text


def test_dcmtk_and_dicom3tools_read_the_dicomdir(package):
    _, folder = package
    done = run("dcmdump", "+P", "DirectoryRecordType", folder / "out" / "DICOMDIR")
    assert done.returncode == 0
    records = re.findall(r"\[(\w+)", done.stdout)
    assert records.count("IMAGE") == 6 and records.count("SERIES") == 2 and records.count("STUDY") == 1
    done = run("dcdirdmp", folder / "out" / "DICOMDIR")
    assert "Error" not in done.stderr, done.stderr
    done = run("dciodvfy", folder / "out" / "DICOMDIR")
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error")]
    assert not errors, "\n".join(errors)


def test_dicom3tools_finds_the_entities_consistent(shared, package):
    """dcentvfy: instances of one patient, study, series, equipment and frame of reference say the same of it."""
    instances, folder = package
    packed = sorted(path for path in (folder / "out" / "DICOM").rglob("IM*") if path.is_file())
    for files in (packed, as_retrieved(shared, package)):
        assert len(files) == len(instances)
        done = run("dcentvfy", *files)
        assert done.returncode == 0 and "Error" not in done.stderr, done.stderr


def as_retrieved(shared, package):
    """The study as WADO-RS gives it, one file for each part."""
    instances, folder = package
    root = folder / "retrieved"
    root.mkdir()
    client = DICOMwebClient(shared.root)
    files = []
    for ds in client.retrieve_study(instances[0].StudyInstanceUID):
        files.append(root / f"{ds.InstanceNumber}.dcm")
        ds.save_as(files[-1], enforce_file_format=True)
    return files


def test_pydicoms_file_set_loads_every_instance(package):
    instances, folder = package
    found = FileSet(folder / "out" / "DICOMDIR")
    assert len(found) == 6
    loaded = {i.SOPInstanceUID: i.load() for i in found}
    for ds in instances:
        assert loaded[ds.SOPInstanceUID].PixelData == ds.PixelData
        assert str(loaded[ds.SOPInstanceUID].PatientName) == "Müller^Jörg"


def test_every_file_is_what_was_sent(package):
    instances, folder = package
    sent = {ds.SOPInstanceUID: encode(ds, False, True) for ds in instances}
    files = [p for p in (folder / "out" / "DICOM").rglob("IM*") if p.is_file()]
    assert len(files) == 6
    for path in files:
        assert path.read_bytes().endswith(sent[dcmread(path).SOPInstanceUID])


@pytest.mark.parametrize("level", ["series", "instance"])
def test_a_series_and_an_instance_are_packages_that_curl_resumes(shared, package, tmp_path, level):
    instances, _ = package
    one = instances[1]
    path, expected = f"{shared.root}/studies/{one.StudyInstanceUID}/series/{one.SeriesInstanceUID}", 3
    if level == "instance":
        path, expected = f"{path}/instances/{one.SOPInstanceUID}", 1
    curl = ["curl", "-sf", "-H", "Accept: application/zip", path]
    whole, part = tmp_path / "whole.zip", tmp_path / "part.zip"
    assert run(*curl, "-o", whole).returncode == 0
    part.write_bytes(whole.read_bytes()[:1000])
    assert run(*curl, "-C", "-", "-o", part).returncode == 0
    assert part.read_bytes() == whole.read_bytes()
    assert run("unzip", "-q", part, "-d", tmp_path / "out").returncode == 0
    assert run("sha256sum", "-c", "SHA256.TXT", cwd=tmp_path / "out").returncode == 0
    assert len(FileSet(tmp_path / "out" / "DICOMDIR")) == expected
    done = run("dciodvfy", tmp_path / "out" / "DICOMDIR")
    assert not [line for line in done.stderr.splitlines() if line.startswith("Error")], done.stderr
