"""Starts the real binary and makes synthetic data for other people's clients to send and fetch."""
from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

BINARY = os.environ.get("BLUEBRIDGE_BIN", "target/debug/bluebridge")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Bridge:
    """A running daemon in a folder of its own."""

    def __init__(self, folder: Path, extra: str = "") -> None:
        self.folder, self.data = folder, folder / "data"
        self.dicom, self.web, self.patient = free_port(), free_port(), free_port()
        self.config = folder / "bluebridge.toml"
        self.config.write_text(f"""
data_dir = "{self.data}"
[dicom]
listen = "127.0.0.1:{self.dicom}"
[web]
listen = "127.0.0.1:{self.web}"
[patient]
listen = "127.0.0.1:{self.patient}"
public_url = "http://127.0.0.1:{self.patient}"
[storage]
ballast = "0B"
[log]
format = "json"
{extra}""")
        self.log = folder / "log"
        self.process: subprocess.Popen | None = None

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.web}/dicom-web"

    def start(self, *prefix: str) -> "Bridge":
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*prefix, BINARY, "serve", "--config", str(self.config)], stderr=log)
        return self.wait_until_ready()

    def wait_until_ready(self) -> "Bridge":
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            with contextlib.suppress(OSError):
                with urllib.request.urlopen(f"http://127.0.0.1:{self.web}/readyz", timeout=5) as answer:
                    if answer.status == 200:
                        return self
            time.sleep(0.02)
        raise AssertionError("not ready: " + self.log.read_text()[-3000:])

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=45)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def cli(self, *args: str, check: bool = True) -> subprocess.CompletedProcess:
        done = subprocess.run([BINARY, *args, "--config", str(self.config)], capture_output=True, text=True, timeout=60)
        assert not check or done.returncode == 0, done.stderr
        return done

    def cli_json(self, *args: str) -> dict:
        return json.loads(self.cli(*args, "--json").stdout)


@pytest.fixture
def bridge(tmp_path):
    b = Bridge(tmp_path).start()
    yield b
    if b.process.poll() is None:
        assert b.stop() == 0, b.log.read_text()[-3000:]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One daemon for a module whose tests do not disturb each other."""
    b = Bridge(tmp_path_factory.mktemp("bridge")).start()
    yield b
    assert b.stop() == 0, b.log.read_text()[-3000:]


def ct(study: str | None = None, series: str | None = None, number: int = 1, size: int = 64, **attributes) -> Dataset:
    """A small CT image; keyword arguments replace or add attributes."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = CTImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study or generate_uid(), series or generate_uid()
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "TEST^INTEROP", "IOP-1", "19700131", "O"
    ds.StudyDate, ds.StudyTime, ds.AccessionNumber, ds.StudyID = "20261120", "101500", "ACC1", "1"
    ds.ReferringPhysicianName, ds.StudyDescription = "REFERRER^A", "Chest"
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "CT", 1, number
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator, ds.Manufacturer = generate_uid(), "", "Test"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows = ds.Columns = size
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.RescaleIntercept, ds.RescaleSlope = -1024, 1
    ds.PixelSpacing, ds.SliceThickness = [0.5, 0.5], 1
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, number], [1, 0, 0, 0, 1, 0]
    ds.PixelData = bytes((i * 7 + number) % 251 for i in range(size * size * 2))
    ds["PixelData"].VR = "OW"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def save(ds: Dataset, path: Path) -> Path:
    ds.save_as(path, enforce_file_format=True)
    return path
