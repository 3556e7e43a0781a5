"""OHIF's published build in headless Chromium, with our configuration at /ohif/ and with its own default
settings from another origin: it lists, opens and shows, and every request of its is answered 2xx."""
from __future__ import annotations

import contextlib
import http.client
import http.server
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

import numpy
import pydicom
import pytest
import requests
from conftest import Bridge, ct, free_port, save
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import (
    BasicTextSRStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    EncapsulatedPDFStorage,
    EnhancedMRImageStorage,
    JPEGBaseline8Bit,
    MPEG4HP41,
    SegmentationStorage,
    UltrasoundMultiFrameImageStorage,
    VideoPhotographicImageStorage,
    VLWholeSlideMicroscopyImageStorage,
    generate_uid,
)
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

ROOT = Path(__file__).parents[2]
IMAGE = ("PixelData", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "SamplesPerPixel",
         "PixelRepresentation", "PhotometricInterpretation", "RescaleSlope", "RescaleIntercept", "PixelSpacing",
         "SliceThickness", "ImagePositionPatient", "ImageOrientationPatient")


@pytest.fixture(scope="module")
def build() -> Path:
    folder = ROOT / "target" / "ohif"
    subprocess.run([ROOT / "scripts" / "ohif", folder], check=True, timeout=300)
    return folder


@pytest.fixture(scope="module")
def elsewhere(build, tmp_path_factory):
    """OHIF unpacked at the root of another origin; its settings are its own but for the address."""
    folder = tmp_path_factory.mktemp("ohif")
    port = free_port()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        config = b""

        def __init__(self, *args):
            super().__init__(*args, directory=build)

        def do_GET(self):
            path = self.path.split("?")[0]
            if path == "/app-config.js":
                self.send_response(200)
                self.send_header("Content-Type", "text/javascript")
                self.end_headers()
                self.wfile.write(self.config)
                return
            if not (build / path.lstrip("/")).is_file():
                self.path = "/index.html"
            super().do_GET()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{port}", Quiet
    server.shutdown()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def bridge(build, elsewhere, tmp_path_factory):
    settings = {"BLUEBRIDGE__WEB__OHIF_DIR": str(build), "BLUEBRIDGE__WEB__CORS_ORIGINS": f'["{elsewhere[0]}"]'}
    before = os.environ.copy()
    os.environ.update(settings)
    try:
        b = Bridge(tmp_path_factory.mktemp("bridge")).start()
        b.environment = settings
    finally:
        os.environ.clear()
        os.environ.update(before)
    text = (build / "app-config.js").read_text()
    text = re.sub(r"(qidoRoot|wadoRoot|wadoUriRoot): '[^']*'", rf"\1: '{b.root}'", text)
    elsewhere[1].config = re.sub(r"staticWado: true,", "", text).encode()
    yield b
    assert b.stop() == 0, b.log.read_text()[-3000:]


def disc(rows: int, columns: int, frame: int, depth: int) -> numpy.ndarray:
    """A bright disc on a slope, of many shades; it moves from frame to frame."""
    y, x = numpy.mgrid[0:rows, 0:columns]
    inside = (y - rows / 2) ** 2 + (x - columns / 2 - 4 * frame) ** 2 < (rows / 3) ** 2
    return ((x + y) * (depth / 2) / (rows + columns) + inside * depth / 3).astype(numpy.uint16)


def enhanced_mr(frames: int = 6) -> pydicom.Dataset:
    ds = ct(PatientName="VIEWER^MR", Modality="MR")
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    for keyword in ("RescaleSlope", "RescaleIntercept", "PixelSpacing", "SliceThickness", "ImagePositionPatient",
                    "ImageOrientationPatient"):
        delattr(ds, keyword)
    ds.Rows, ds.Columns, ds.NumberOfFrames = 96, 128, frames
    ds.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    shared = item(PixelMeasuresSequence=[item(PixelSpacing=[1, 1], SliceThickness=2, SpacingBetweenSlices=2)],
                  PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
                  FrameVOILUTSequence=[item(WindowCenter=1024, WindowWidth=2048)])
    ds.SharedFunctionalGroupsSequence = [shared]
    ds.PerFrameFunctionalGroupsSequence = [
        item(PlanePositionSequence=[item(ImagePositionPatient=[0, 0, 2 * n])],
             FrameContentSequence=[item(StackID="1", InStackPositionNumber=n + 1, DimensionIndexValues=[1, n + 1])])
        for n in range(frames)]
    ds.PixelData = b"".join(disc(96, 128, n, 2000).tobytes() for n in range(frames))
    return ds


def item(**attributes) -> pydicom.Dataset:
    one = pydicom.Dataset()
    for keyword, value in attributes.items():
        setattr(one, keyword, value)
    return one


def code(value: str, scheme: str, meaning: str) -> list[pydicom.Dataset]:
    return [item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)]


def segmentation(images: list[pydicom.Dataset]) -> pydicom.Dataset:
    """A binary SEG (PS3.3 §A.51): a disc in every image of a series."""
    first = images[0]
    ds = ct(first.StudyInstanceUID, PatientName=str(first.PatientName), Modality="SEG", SeriesNumber=2,
            FrameOfReferenceUID=first.FrameOfReferenceUID, SeriesDescription="Segmentation", ContentLabel="DISC",
            ContentDescription="", ContentCreatorName="TEST^INTEROP", ContentDate="20261120", ContentTime="101500",
            InstanceNumber=1, DeviceSerialNumber="1", ManufacturerModelName="Test", SoftwareVersions="1")
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = SegmentationStorage
    for keyword in ("RescaleSlope", "RescaleIntercept", "PixelSpacing", "SliceThickness", "ImagePositionPatient",
                    "ImageOrientationPatient"):
        delattr(ds, keyword)
    ds.ImageType = ["DERIVED", "PRIMARY"]
    ds.Rows, ds.Columns, ds.NumberOfFrames = first.Rows, first.Columns, len(images)
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 1, 1, 0, 0
    ds.LossyImageCompression, ds.SegmentationType = "00", "BINARY"
    ds.SegmentSequence = [item(
        SegmentNumber=1, SegmentLabel="Disc", SegmentAlgorithmType="MANUAL",
        RecommendedDisplayCIELabValue=[45000, 50000, 50000],
        SegmentedPropertyCategoryCodeSequence=code("85756007", "SCT", "Tissue"),
        SegmentedPropertyTypeCodeSequence=code("85756007", "SCT", "Tissue"))]
    ds.DimensionOrganizationSequence = [item(DimensionOrganizationUID=generate_uid())]
    ds.ReferencedSeriesSequence = [item(
        SeriesInstanceUID=first.SeriesInstanceUID,
        ReferencedInstanceSequence=[item(ReferencedSOPClassUID=image.SOPClassUID,
                                         ReferencedSOPInstanceUID=image.SOPInstanceUID) for image in images])]
    ds.SharedFunctionalGroupsSequence = [item(
        PixelMeasuresSequence=[item(PixelSpacing=first.PixelSpacing, SliceThickness=1, SpacingBetweenSlices=1)],
        PlaneOrientationSequence=[item(ImageOrientationPatient=first.ImageOrientationPatient)],
        SegmentIdentificationSequence=[item(ReferencedSegmentNumber=1)])]
    ds.PerFrameFunctionalGroupsSequence = [
        item(PlanePositionSequence=[item(ImagePositionPatient=image.ImagePositionPatient)],
             FrameContentSequence=[item(DimensionIndexValues=[1, n + 1])],
             DerivationImageSequence=[item(
                 DerivationCodeSequence=code("113076", "DCM", "Segmentation"),
                 SourceImageSequence=[item(
                     ReferencedSOPClassUID=image.SOPClassUID, ReferencedSOPInstanceUID=image.SOPInstanceUID,
                     PurposeOfReferenceCodeSequence=code("121322", "DCM", "Source image"))])])
        for n, image in enumerate(images)]
    y, x = numpy.mgrid[0:first.Rows, 0:first.Columns]
    disc = (y - first.Rows / 2) ** 2 + (x - first.Columns / 2) ** 2 < (first.Rows / 4) ** 2
    ds.PixelData = numpy.packbits(numpy.stack([disc] * len(images)).ravel(), bitorder="little").tobytes()
    ds["PixelData"].VR = "OB"
    return ds


def cine(frames: int = 5) -> pydicom.Dataset:
    ds = ct(PatientName="VIEWER^US", Modality="US")
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    for keyword in ("RescaleSlope", "RescaleIntercept"):
        delattr(ds, keyword)
    ds.Rows, ds.Columns, ds.NumberOfFrames, ds.FrameTime, ds.FrameIncrementPointer = 96, 128, frames, 40, 0x00181063
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    grey = [disc(96, 128, n, 250).astype(numpy.uint8) for n in range(frames)]
    ds.PixelData = b"".join(numpy.stack([g, g, 255 - g], axis=-1).tobytes() for g in grey)
    ds["PixelData"].VR = "OB"
    return ds


def mammogram() -> pydicom.Dataset:
    ds = ct(PatientName="VIEWER^MG", Modality="MG", ImageLaterality="L", ViewPosition="CC")
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.Rows, ds.Columns, ds.WindowCenter, ds.WindowWidth = 400, 300, 2048, 4096
    ds.PixelData = disc(400, 300, 0, 4000).tobytes()
    return ds


def slide() -> list[pydicom.Dataset]:
    """A slide of three levels in tiles (PS3.3 §C.8.12.4): a red and a blue that change over the slide, chequered."""
    first = ct(PatientName="VIEWER^SM", Modality="SM")
    return [slide_level(first, number, size) for number, size in enumerate((1024, 512, 256), 1)]


def slide_level(first: pydicom.Dataset, number: int, size: int, tile: int = 256) -> pydicom.Dataset:
    ds = without_image(ct(first.StudyInstanceUID, first.SeriesInstanceUID, number, PatientName="VIEWER^SM",
                          Modality="SM", FrameOfReferenceUID=first.FrameOfReferenceUID))
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = VLWholeSlideMicroscopyImageStorage
    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    ds.ImageType, ds.DimensionOrganizationType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], "TILED_FULL"
    ds.Rows = ds.Columns = tile
    ds.TotalPixelMatrixRows = ds.TotalPixelMatrixColumns = size
    ds.NumberOfFrames, ds.TotalPixelMatrixFocalPlanes, ds.NumberOfOpticalPaths = (size // tile) ** 2, 1, 1
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "YBR_FULL_422", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.LossyImageCompression, ds.LossyImageCompressionRatio, ds.LossyImageCompressionMethod = "01", 10, "ISO_10918_1"
    ds.ContainerIdentifier, ds.AcquisitionDateTime, ds.VolumetricProperties = "S1", "20261120101500", "VOLUME"
    ds.SpecimenLabelInImage = ds.ExtendedDepthOfField = ds.BurnedInAnnotation = "NO"
    ds.FocusMethod, ds.ImagedVolumeWidth, ds.ImagedVolumeHeight, ds.ImagedVolumeDepth = "AUTO", 10, 10, 0.1
    ds.TotalPixelMatrixOriginSequence = [item(XOffsetInSlideCoordinateSystem=0, YOffsetInSlideCoordinateSystem=0)]
    ds.ImageOrientationSlide = [0, -1, 0, -1, 0, 0]
    ds.OpticalPathSequence = [item(
        OpticalPathIdentifier="1", IlluminationTypeCodeSequence=code("111744", "DCM", "Brightfield illumination"),
        IlluminationColorCodeSequence=code("414298005", "SCT", "Full Spectrum"))]
    ds.SharedFunctionalGroupsSequence = [item(
        PixelMeasuresSequence=[item(PixelSpacing=[10 / size, 10 / size], SliceThickness=0.1)],
        WholeSlideMicroscopyImageFrameTypeSequence=[item(FrameType=ds.ImageType)],
        OpticalPathIdentificationSequence=[item(OpticalPathIdentifier="1")])]
    ds.SpecimenDescriptionSequence = [item(SpecimenIdentifier="S1", SpecimenUID=generate_uid(),
                                           SpecimenPreparationSequence=[])]
    ds.ContainerTypeCodeSequence = code("433466003", "SCT", "Microscope slide")
    y, x = numpy.mgrid[0:size, 0:size]
    matrix = numpy.stack([x * 255 // size, (x // 32 + y // 32) % 2 * 120 + 80, y * 255 // size], -1).astype(numpy.uint8)
    tiles = []
    for row, column in numpy.ndindex(size // tile, size // tile):
        jpeg = io.BytesIO()
        Image.fromarray(matrix[row * tile:(row + 1) * tile, column * tile:(column + 1) * tile]).save(jpeg, "jpeg")
        tiles.append(jpeg.getvalue())
    ds.PixelData = encapsulate(tiles)
    return ds


def document() -> pydicom.Dataset:
    """A PDF of one yellow page."""
    ds = without_image(ct(PatientName="VIEWER^PDF", Modality="DOC", MIMETypeOfEncapsulatedDocument="application/pdf"))
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = EncapsulatedPDFStorage
    page = io.BytesIO()
    Image.new("RGB", (400, 400), "yellow").save(page, "pdf")
    ds.EncapsulatedDocument = page.getvalue() + b"\0" * (len(page.getvalue()) % 2)
    ds.EncapsulatedDocumentLength, ds.DocumentTitle = len(page.getvalue()), "Report"
    return ds


def film() -> pydicom.Dataset:
    """A film by its wrapping only: nobody looks at it here."""
    ds = cine(50)
    ds.PatientName, ds.Modality, ds.PhotometricInterpretation = "VIEWER^XC", "XC", "YBR_PARTIAL_420"
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = VideoPhotographicImageStorage
    ds.file_meta.TransferSyntaxUID = MPEG4HP41
    ds.PixelData = encapsulate([b"\0\0\0\x18ftypmp42" + bytes(4084)], has_bot=False)
    return ds


def report() -> pydicom.Dataset:
    """Basic Text SR: one container that has a name, with one finding (PS3.3 §C.17.3)."""
    ds = without_image(ct(PatientName="VIEWER^SR", Modality="SR", ValueType="CONTAINER", CompletionFlag="COMPLETE",
                          ContinuityOfContent="SEPARATE", VerificationFlag="UNVERIFIED", ContentDate="20261120",
                          ContentTime="101500", ConceptNameCodeSequence=code("11528-7", "LN", "Radiology Report")))
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = BasicTextSRStorage
    ds.ContentSequence = [item(RelationshipType="CONTAINS", ValueType="TEXT", TextValue="Lungs clear. Größe normal.",
                               ConceptNameCodeSequence=code("121071", "DCM", "Finding"))]
    return ds


def without_image(ds: pydicom.Dataset) -> pydicom.Dataset:
    for keyword in IMAGE:
        delattr(ds, keyword)
    return ds


@pytest.fixture(scope="module")
def studies(bridge, tmp_path_factory) -> dict[str, str]:
    """A Study Instance UID of each kind."""
    folder = tmp_path_factory.mktemp("send")
    kinds = {"ct": [], "mr": [enhanced_mr()], "us": [cine()], "mg": [mammogram()],
             "sr": [report()], "pdf": [document()], "sm": slide(), "xc": [film()]}
    first = ct(size=128, PatientName="VIEWER^CT")
    for number in range(1, 13):
        kinds["ct"].append(ct(first.StudyInstanceUID, first.SeriesInstanceUID, number, 128,
                              FrameOfReferenceUID=first.FrameOfReferenceUID, PatientName="VIEWER^CT"))
    measured = ct(size=128)
    images = [ct(measured.StudyInstanceUID, measured.SeriesInstanceUID, number, 128, PatientName="VIEWER^SEG",
                 FrameOfReferenceUID=measured.FrameOfReferenceUID) for number in range(1, 7)]
    kinds["seg"] = [*images, segmentation(images)]
    for kind, datasets in kinds.items():
        for number, ds in enumerate(datasets):
            save(ds, folder / f"{kind}{number}.dcm")
    sent = subprocess.run([shutil.which("dcmsend"), "-aec", "BLUEBRIDGE", "+sd", "127.0.0.1", str(bridge.dicom),
                           str(folder)], capture_output=True, text=True)
    assert sent.returncode == 0, sent.stderr
    return {kind: datasets[0].StudyInstanceUID for kind, datasets in kinds.items()}


@pytest.fixture
def chromium():
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--window-size=1400,900", "--use-gl=angle",
                     "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    yield driver
    driver.quit()


class Seen:
    """What the browser asked, and how it was answered."""

    def __init__(self, driver) -> None:
        self.driver, self.answers, self.failed = driver, [], []

    def look(self) -> "Seen":
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.responseReceived":
                response = message["params"]["response"]
                self.answers.append((response["status"], response["url"]))
            elif message["method"] == "Network.loadingFailed" and not message["params"].get("canceled"):
                self.failed.append(message["params"].get("errorText"))
        return self

    def of(self, part: str) -> list[str]:
        return [url for status, url in self.answers if part in url]

    def bad(self) -> list:
        return [answer for answer in self.answers if answer[0] >= 400]


def until(seconds: float, condition):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(Exception):
            if result := condition():
                return result
        time.sleep(0.25)
    return None


def shades(driver) -> int:
    """How many grey values the largest canvas shows."""
    canvases = driver.find_elements(By.CSS_SELECTOR, "canvas")
    largest = max(canvases, key=lambda canvas: canvas.size["width"] * canvas.size["height"])
    return len(numpy.unique(numpy.asarray(Image.open(io.BytesIO(largest.screenshot_as_png)).convert("L"))))


def coloured(driver) -> bool:
    """Whether the largest canvas shows anything that is not grey."""
    canvases = driver.find_elements(By.CSS_SELECTOR, "canvas")
    largest = max(canvases, key=lambda canvas: canvas.size["width"] * canvas.size["height"])
    pixels = numpy.asarray(Image.open(io.BytesIO(largest.screenshot_as_png)).convert("RGB")).astype(int)
    return int(numpy.count_nonzero(pixels.max(axis=-1) - pixels.min(axis=-1) > 40)) > 5000


def reds(driver) -> int:
    """How many pixels of the page are more red than blue; OHIF's own are not, nor is its veil, and a thumbnail has
    few."""
    shown = numpy.asarray(Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB")).astype(int)
    return int(numpy.count_nonzero(shown[..., 0] - shown[..., 2] > 40))


def dismiss_notices(driver) -> None:
    for label in ("Skip all", "Confirm and hide"):
        button = f"//button[normalize-space()='{label}'] | //*[text()='{label}']"
        until(10, lambda: driver.find_element(By.XPATH, button).click() or True)


def test_the_study_list_shows_what_is_stored(bridge, studies, chromium):
    seen = Seen(chromium)
    chromium.get(f"http://127.0.0.1:{bridge.web}/ohif/")
    assert until(90, lambda: "VIEWER" in chromium.find_element(By.TAG_NAME, "body").text), seen.look().answers
    assert chromium.execute_script("return window.crossOriginIsolated")
    seen.look()
    assert seen.of("/dicom-web/studies?") and not seen.bad() and not seen.failed, (seen.bad(), seen.failed)


@pytest.mark.parametrize("kind", ["ct", "mr", "us", "mg"])
def test_a_study_is_opened_and_seen(bridge, studies, chromium, kind):
    seen = Seen(chromium)
    chromium.get(f"http://127.0.0.1:{bridge.web}/ohif/viewer?StudyInstanceUIDs={studies[kind]}")
    assert until(90, lambda: shades(chromium) > 30), seen.look().bad()
    seen.look()
    assert seen.of("/metadata") and (seen.of("/frames/") or seen.of("/thumbnail")), seen.answers
    assert not seen.bad(), seen.bad()


@pytest.mark.parametrize("mode", ["microscopy", "viewer"])
def test_a_slide_is_opened_and_its_tiles_are_drawn(bridge, studies, chromium, mode):
    seen = Seen(chromium)
    chromium.get(f"http://127.0.0.1:{bridge.web}/ohif/{mode}?StudyInstanceUIDs={studies['sm']}")
    until(60, lambda: chromium.find_elements(By.CSS_SELECTOR, "canvas"))
    dismiss_notices(chromium)
    assert until(60, lambda: reds(chromium) > 20_000), (seen.look().bad(), seen.failed)
    assert seen.look().of("/dicomMicroscopyViewer.min.js") and seen.of("/frames/"), seen.answers
    assert not seen.bad() and not seen.failed, (seen.bad(), seen.failed)


def test_the_link_of_the_api_opens_the_study(bridge, studies, chromium):
    with urllib.request.urlopen(f"http://127.0.0.1:{bridge.web}/api/v1/studies/{studies['ct']}/viewers") as answer:
        link = json.load(answer)["ohif"]
    seen = Seen(chromium)
    chromium.get(link)
    assert until(90, lambda: shades(chromium) > 30), (link, seen.look().bad())
    assert chromium.execute_script("return window.crossOriginIsolated")
    frames = seen.look().of("/frames/")
    assert frames and all(f"/studies/{studies['ct']}/" in url for url in frames) and not seen.bad(), seen.answers


@pytest.fixture
def closed(build, tmp_path):
    """A daemon that lets nobody read without a token, with two studies."""
    b = Bridge(tmp_path)
    b.config.write_text(b.config.read_text().replace("[web]", f'[web]\nanonymous = "nobody"\nohif_dir = "{build}"'))
    b.start()
    for number, name in enumerate(("VIEWER^ONE", "VIEWER^TWO")):
        save(ct(size=128, PatientName=name, PatientID=name, StudyID=name[-3:]), tmp_path / f"{number}.dcm")
    sent = subprocess.run([shutil.which("dcmsend"), "-aec", "BLUEBRIDGE", "127.0.0.1", str(b.dicom),
                           str(tmp_path / "0.dcm"), str(tmp_path / "1.dcm")], capture_output=True, text=True)
    assert sent.returncode == 0, sent.stderr
    b.studies = [pydicom.dcmread(tmp_path / f"{number}.dcm").StudyInstanceUID for number in (0, 1)]
    yield b
    assert b.stop() == 0, b.log.read_text()[-3000:]


def launch(bridge, study: str, scope: str, body: dict) -> requests.Response:
    token = bridge.cli_json("token", "create", "portal", "--scope", scope)["token"]
    return requests.post(f"http://127.0.0.1:{bridge.web}/api/v1/studies/{study}/viewers", json=body, timeout=10,
                         headers={"Authorization": f"Bearer {token}"})


def test_the_links_of_the_api_open_one_study_where_a_token_is_needed(closed, chromium):
    mine, other = closed.studies
    assert launch(closed, mine, "read", {}).status_code == 403
    assert launch(closed, mine, "share", {}).status_code == 403, "nobody gives away more than they have"
    answer = launch(closed, mine, "read,share", {"expires": "2h"})
    assert answer.status_code == 201, answer.text
    links = answer.json()

    # As Weasis reads its address: percent signs first, then as a shell.
    scheme, command = urllib.parse.unquote(links["weasis"]).split("?", 1)
    name, *arguments = shlex.split(command)
    options = dict(zip(arguments[::2], arguments[1::2]))
    assert (scheme, name, options["-r"]) == ("weasis://", "$dicom:rs", f"studyUID={mine}")
    root, (field, value) = options["--url"], options["-H"].split(": ", 1)
    assert root == links["dicomweb"] == closed.root
    weasis = lambda path: requests.get(root + path, headers={field: value}, timeout=10)
    assert weasis(f"/studies?0020000D={mine}&includefield=00100010").status_code == 200
    assert [found["0020000D"]["Value"] for found in weasis("/studies").json()] == [[mine]]
    series = weasis(f"/studies/{mine}/series?includefield=00081190").json()[0]
    whole = requests.get(series["00081190"]["Value"][0], timeout=10, headers={
        field: value, "Accept": 'multipart/related;type="application/dicom";transfer-syntax=*'})
    assert whole.status_code == 200 and b"DICM" in whole.content
    assert weasis(f"/studies/{other}/series").status_code in (204, 404) and weasis(f"/studies/{other}").status_code == 404
    stored = requests.post(f"{root}/studies", data=b"x", headers={field: value, "Content-Type": "application/dicom"})
    assert stored.status_code == 403
    again = f"http://127.0.0.1:{closed.web}/api/v1/studies/{mine}/viewers"
    assert requests.post(again, json={}, headers={field: value}, timeout=10).status_code == 403, "it makes no other"

    seen = Seen(chromium)
    chromium.get(links["ohif"])
    assert until(90, lambda: shades(chromium) > 30), (links["ohif"], seen.look().bad())
    assert not seen.look().bad(), seen.bad()
    assert links["token"] not in closed.log.read_text()


@pytest.mark.parametrize("how", ["typed", "address"])
def test_the_list_is_filtered(bridge, studies, chromium, how):
    """What is typed OHIF sifts from the list that it has; what stands in its address it asks us for."""
    seen = Seen(chromium)
    address = f"http://127.0.0.1:{bridge.web}/ohif/"

    def names() -> list[str]:
        texts = [row.text for row in chromium.find_elements(By.CSS_SELECTOR, "tbody tr")]
        return [text.splitlines()[0] for text in texts if "VIEWER" in text]

    if how == "typed":
        chromium.get(address)
        assert until(90, lambda: len(names()) > 3), names()
        chromium.find_element(By.CSS_SELECTOR, "table input:not([type='file'])").send_keys("mg")
    else:
        chromium.get(f"{address}?patientName=mg")
    assert until(60, lambda: len(names()) == 1 and "MG" in names()[0]), names()
    asked = seen.look().of("/dicom-web/studies?")
    assert any("PatientName=*mg*" in url for url in asked) == (how == "address"), asked
    assert not seen.bad(), seen.bad()


def test_a_segmentation_is_laid_over_its_images(bridge, studies, chromium):
    seen = Seen(chromium)
    chromium.get(f"http://127.0.0.1:{bridge.web}/ohif/viewer?StudyInstanceUIDs={studies['seg']}")
    assert until(90, lambda: shades(chromium) > 30), seen.look().bad()
    dismiss_notices(chromium)
    assert until(10, lambda: not coloured(chromium)), "the notices are gone and the image is grey"
    thumbnail = "[data-cy='study-browser-thumbnail-no-image']"
    assert until(30, lambda: chromium.find_elements(By.CSS_SELECTOR, thumbnail)), chromium.page_source[-3000:]
    ActionChains(chromium).double_click(chromium.find_element(By.CSS_SELECTOR, thumbnail)).perform()
    assert until(60, lambda: coloured(chromium)), (seen.look().answers[-20:], seen.bad())
    assert not seen.look().bad(), seen.bad()


def yellow(driver) -> int:
    """How many pixels of the page are of the colour of the document, under OHIF's veil too."""
    shown = numpy.asarray(Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB")).astype(int)
    red, green, blue = shown[..., 0], shown[..., 1], shown[..., 2]
    return int(numpy.count_nonzero((red > 60) & (green > 60) & (blue < 20)))


def test_a_document_is_opened_and_seen(bridge, studies, chromium):
    seen = Seen(chromium)
    chromium.get(f"http://127.0.0.1:{bridge.web}/ohif/viewer?StudyInstanceUIDs={studies['pdf']}")
    assert until(60, lambda: yellow(chromium) > 50_000), (seen.look().failed, seen.bad())
    assert "No online PDF viewer" not in chromium.find_element(By.TAG_NAME, "body").text
    assert not seen.look().bad() and not seen.failed, (seen.bad(), seen.failed)


def test_a_report_is_opened_and_read(bridge, studies, chromium):
    seen = Seen(chromium)
    chromium.get(f"http://127.0.0.1:{bridge.web}/ohif/viewer?StudyInstanceUIDs={studies['sr']}")
    text = lambda: chromium.find_element(By.TAG_NAME, "body").text
    assert until(60, lambda: "Lungs clear. Größe normal." in text()), (text(), seen.look().failed)
    assert "Radiology Report" in text() and not seen.look().bad() and not seen.failed, (seen.bad(), seen.failed)


def test_its_default_settings_work_from_another_origin(bridge, studies, chromium, elsewhere):
    seen = Seen(chromium)
    chromium.get(f"{elsewhere[0]}/viewer?StudyInstanceUIDs={studies['ct']}")
    assert until(90, lambda: shades(chromium) > 30), seen.look().bad()
    seen.look()
    assert seen.of("/frames/") and not seen.bad(), seen.bad()


def test_a_document_is_shown_from_another_origin(bridge, studies, chromium, elsewhere):
    seen, (address, served), before = Seen(chromium), elsewhere, elsewhere[1].config
    served.config = before.replace(b"singlepart: 'bulkdata,video'", b"singlepart: 'bulkdata,video,pdf'")
    assert served.config != before
    try:
        chromium.get(f"{address}/viewer?StudyInstanceUIDs={studies['pdf']}")
        assert until(60, lambda: yellow(chromium) > 50_000), (seen.look().failed, seen.bad())
    finally:
        served.config = before
    assert not seen.look().bad() and not seen.failed, (seen.bad(), seen.failed)


class Proxy(http.server.BaseHTTPRequestHandler):
    """Passes on what is asked, but for what it breaks."""
    protocol_version, behind, broken = "HTTP/1.1", 0, ""

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if self.broken == "host":
            headers["host"] = f"localhost:{self.behind}"
        inner = http.client.HTTPConnection("127.0.0.1", self.behind)
        inner.request(self.command, self.path, body, headers)
        got = inner.getresponse()
        content = got.read()
        # As a proxy that guards everything by Authorization, or that has no files of its own to give.
        guarded = self.broken == "guard" and "Authorization" not in self.headers
        lost = self.broken == "files" and self.path.startswith("/ohif/") and self.path.endswith(".css")
        status = 401 if guarded else 404 if lost else got.status
        self.send_response(status)
        for name, value in got.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length", self.broken):
                self.send_header(name, value)
        if self.broken == "content-length" and content:
            self.send_header("Transfer-Encoding", "chunked")
            content = b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content)
        elif status not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_OPTIONS = answer

    def log_message(self, *_):
        pass


@pytest.fixture
def proxy(bridge):
    class Own(Proxy):
        behind = bridge.web

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Own)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", Own
    server.shutdown()


@pytest.mark.parametrize("broken, kind, purpose", [
    ("host", "ct", "its series"), ("host", "ct", "metadata of a series"),
    ("content-length", "ct", "a frame"), ("accept-ranges", "ct", "a frame"),
    ("cross-origin-embedder-policy", "pdf", "a document, embedded in its page"),
    ("cross-origin-resource-policy", "pdf", "a document, embedded in another origin"),
    ("content-range", "xc", "a film, further on"), ("content-type", "xc", "a film, its first bytes"),
    ("files", "ct", "a script or style of the viewer"), ("guard", "ct", "preflight from another origin"),
    ("", "ct", None), ("", "xc", None)])
def test_the_doctor_finds_what_a_proxy_breaks(bridge, studies, proxy, monkeypatch, tmp_path, broken, kind, purpose):
    for name, value in bridge.environment.items():
        monkeypatch.setenv(name, value)
    proxy[1].broken = broken
    (tmp_path / "token").write_text(bridge.cli_json("token", "create", "doctor", "--scope", "read")["token"])
    done = bridge.cli("doctor", "viewer", studies[kind], "--url", proxy[0], "--token-file", str(tmp_path / "token"),
                      "--json", check=False)
    assert done.stdout, done.stderr
    failed = {step["purpose"]: step["failure"] for step in json.loads(done.stdout)["steps"] if step["failure"]}
    assert purpose in failed if purpose else not failed, failed


@pytest.mark.parametrize("kind", ["ct", "sr", "pdf", "xc", "sm", "seg", "us"])
def test_the_doctor_finds_every_viewer_served(bridge, studies, kind, monkeypatch):
    for name, value in bridge.environment.items():
        monkeypatch.setenv(name, value)
    told = json.loads(bridge.cli("doctor", "viewer", studies[kind], "--store", "--json").stdout)
    assert told["failed"] == 0 and {step["viewer"] for step in told["steps"]} >= {"OHIF", "Weasis", "dicomweb-client"}
    assert any("another origin" in step["purpose"] for step in told["steps"])


def test_the_doctor_says_what_is_missing(bridge):
    refused = bridge.cli("doctor", "viewer", "1.2.3.4", check=False)
    assert refused.returncode == 1 and "no instance of this study" in refused.stderr
    assert bridge.cli("doctor", "viewer", "not-a-uid", check=False).returncode == 2
