"""What is shown of compressed frames, against encoders and decoders that are not ours; and what hostile frames do."""
from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import struct
import subprocess
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
import raw
import requests
from conftest import BINARY, Bridge, ct
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array
from pydicom.uid import UID, generate_uid
from pynetdicom.dsutils import encode

JPEG_2000, JPEG_LS, HTJ2K, JPEG_XL = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.201",
                                      "1.2.840.10008.1.2.4.110")
ENCODERS = {
    JPEG_2000: lambda frame: imagecodecs.jpeg2k_encode(frame, codecformat="j2k", reversible=True, level=0),
    JPEG_LS: imagecodecs.jpegls_encode,
    HTJ2K: imagecodecs.htj2k_encode,
    JPEG_XL: lambda frame: imagecodecs.jpegxl_encode(frame, lossless=True),
}


# On a machine that does other things too.
PATIENCE = float(os.environ.get("BLUEBRIDGE_PATIENCE", 4))


def slope(size: int) -> np.ndarray:
    """A picture that is not the same upside down, sideways or with its bytes swapped."""
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    return ((x * 3 + y * y // size * 5) % 4096).astype(np.uint16)


def compressed(frame: np.ndarray, syntax: str, **attributes):
    ds = ct(size=frame.shape[0], WindowCenter=1024, WindowWidth=4096, **attributes)
    ds.PixelData = encapsulate([ENCODERS[syntax](frame)])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    return ds


def send(bridge, ds):
    data = encode(ds, False, True)
    assert raw.store(bridge, [(ds.SOPClassUID, ds.SOPInstanceUID, ds.file_meta.TransferSyntaxUID, data)]) == [0]
    return ds


def first_picture(bridge, study) -> np.ndarray:
    """The only picture on a patient's page."""
    link = bridge.cli_json("link", "grant", "--study", study)
    reader = requests.Session()
    form = {"code": link["code"], "day": "31", "month": "1", "year": "1970"}
    page = reader.post(link["url"], data=form, headers={"origin": f"http://127.0.0.1:{bridge.patient}"})
    assert page.status_code == 200, page.text
    path = re.search(r'<img[^>]*src="(/my/[0-9a-f]+\.jpg)"', page.text)
    assert path, page.text
    picture = reader.get(f"http://127.0.0.1:{bridge.patient}{path[1]}")
    assert picture.status_code == 200, bridge.log.read_text()[-2000:]
    return np.asarray(Image.open(io.BytesIO(picture.content)).convert("L")).astype(float)


@pytest.mark.parametrize("syntax", ENCODERS)
def test_a_compressed_ct_is_on_the_patients_page(shared, syntax):
    frame = slope(256)
    ds = send(shared, compressed(frame, syntax))
    expected = np.clip((frame - 1024.0 - (1024 - 0.5)) / 4095 + 0.5, 0, 1) * 255
    assert np.abs(first_picture(shared, ds.StudyInstanceUID) - expected).mean() < 1.5


# ---- every picture against pydicom and numpy ----

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
# Files that pydicom decodes and that are not shown, with the answer's status: none.
NOT_SHOWN: dict[str, int] = {}


def rendered(bridge, ds, frame: int = 1, query: str = "", media: str = "image/png"):
    uids = f"studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"
    url = f"{bridge.root}/{uids}/frames/{frame}/rendered{query}"
    return requests.get(url, headers={"accept": media}, timeout=60)


def pixels(answer) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(answer.content))).astype(float)


def first(value):
    return value[0] if isinstance(value, (list, pydicom.multival.MultiValue)) else value


def stretched(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.clip((values - low) / ((high - low) or 1), 0, 1) * 255


def group_of(ds, frame, keyword):
    """The item of a functional group that holds for the frame, or the data set."""
    for item in (*ds.get("PerFrameFunctionalGroupsSequence", [])[frame:frame + 1],
                 *ds.get("SharedFunctionalGroupsSequence", [])[:1]):
        if keyword in item and len(item[keyword].value):
            return item[keyword].value[0]
    return ds


def grey(ds, stored: np.ndarray, frame: int) -> np.ndarray:
    """PS3.3 C.11.1, C.11.2 by numpy; without a window from the lowest to the highest value."""
    values = stored.astype(float)
    padding = np.zeros(stored.shape, bool)
    if "PixelPaddingValue" in ds:
        ends = sorted((ds.PixelPaddingValue, ds.get("PixelPaddingRangeLimit", ds.PixelPaddingValue)))
        padding = (stored >= ends[0]) & (stored <= ends[1])
    modality = group_of(ds, frame, "PixelValueTransformationSequence")
    if ds.get("ModalityLUTSequence"):
        values = apply_modality_lut(stored, ds).astype(float)
    elif "RescaleSlope" in modality:
        values = values * float(modality.RescaleSlope) + float(modality.RescaleIntercept)
    voi = group_of(ds, frame, "FrameVOILUTSequence")
    center, width = first(voi.get("WindowCenter")), first(voi.get("WindowWidth"))
    if center is not None and width is not None and float(width) >= 1:
        center, width = float(center), float(width)
        function = voi.get("VOILUTFunction", "LINEAR")
        if function == "SIGMOID":
            shown = 255 / (1 + np.exp(-4 * (values - center) / width))
        elif function == "LINEAR_EXACT":
            shown = stretched(values, center - width / 2, center + width / 2)
        elif width == 1:
            shown = np.where(values > center - 0.5, 255.0, 0.0)
        else:
            shown = np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0, 1) * 255
    elif ds.get("VOILUTSequence"):
        looked_up = apply_voi_lut(values.astype(int), ds).astype(float)
        shown = looked_up / (2 ** ds.VOILUTSequence[0].LUTDescriptor[2] - 1) * 255
    else:
        inside = values[~padding] if (~padding).any() else values
        ends = inside.min(), inside.max()
        if ds.get("BitsStored", 32) <= 8 and not ds.get("ModalityLUTSequence"):  # shown as they are
            half = 2 ** (ds.BitsStored - 1)
            ends = (-half, half - 1) if ds.PixelRepresentation else (0, 2 * half - 1)
            ends = [end * float(modality.get("RescaleSlope", 1)) + float(modality.get("RescaleIntercept", 0)) for end in ends]
        shown = stretched(values, min(ends), max(ends))
        if ds.PhotometricInterpretation == "MONOCHROME1":
            shown = 255 - shown
        return np.where(padding & (~padding).any(), 0, shown)
    return 255 - shown if ds.PhotometricInterpretation == "MONOCHROME1" else shown


def reference(ds, frame: int) -> np.ndarray:
    stored = pixel_array(ds, index=frame)
    if ds.PhotometricInterpretation == "PALETTE COLOR":
        deep = ds.get("RedPaletteColorLookupTableDescriptor", [0, 0, 16])[2] == 16
        return apply_color_lut(stored, ds).astype(float) / (257 if deep else 1)
    if stored.ndim == 3:
        return stored.astype(float) * 255 / (2 ** ds.BitsStored - 1)
    return grey(ds, stored, frame)


def shown_files() -> list[Path]:
    """Every packaged file that can be sent and that pydicom itself decodes."""
    found = []
    for path in sorted(FILES.rglob("*")):
        if not path.is_file() or path.suffix not in ("", ".dcm") or raw.split_part10(path) is None:
            continue
        ds = dcmread(path)
        has_pixels = any(word in ds for word in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"))
        if has_pixels and "StudyInstanceUID" in ds and raw.split_part10(path)[2] != "1.2.840.10008.1.2.1.99":
            found.append(path)
    return found


@pytest.mark.filterwarnings("ignore")
def test_every_file_of_pydicom_is_shown_as_numpy_would(bridge):
    compared = 0
    for at, path in enumerate(shown_files()):
        sent, ds = raw.split_part10(path), dcmread(path)
        # Several files are versions of one instance: each gets a UID of its own, of the same length.
        ds.SOPInstanceUID = "1." + str(at + 1).ljust(len(sent[1]) - 2, "0")
        sent = (sent[0], ds.SOPInstanceUID, sent[2], sent[3].replace(sent[1].encode(), ds.SOPInstanceUID.encode()))
        try:
            last = int(ds.get("NumberOfFrames") or 1) - 1
            expected = {frame: reference(ds, frame) for frame in sorted({0, last})}
        except Exception:  # pydicom cannot say it
            continue
        assert raw.store(bridge, [sent]) == [0], path.name
        for frame, picture in expected.items():
            answer = rendered(bridge, ds, frame + 1)
            assert answer.status_code == NOT_SHOWN.get(path.name, 200), (path.name, answer.text)
            if answer.status_code != 200:
                continue
            got = pixels(answer)
            if got.shape != picture.shape:  # pixels that are not square
                spacing = ds.get("PixelSpacing") or ds.get("PixelAspectRatio")
                assert spacing and spacing[0] != spacing[1], (path.name, got.shape, picture.shape)
                continue
            assert np.abs(got - picture).mean() <= 1, (path.name, frame, np.abs(got - picture).mean())
            compared += 1
    assert compared > 80


# ---- generated pictures in each syntax ----

def noisy(shape, bits: int, signed: bool) -> np.ndarray:
    """Smooth anatomy with noise, and the extremes in its corners."""
    rng = np.random.default_rng(7)
    y, x = np.indices(shape[:2])
    values = (np.sin(x / 17) * np.cos(y / 23) + 1) / 2 * (2 ** bits - 1) * 0.9
    if len(shape) == 3:
        values = np.stack([values, values[::-1], values[:, ::-1]], -1)
    values = np.clip(values + rng.normal(0, 2 ** bits / 100, values.shape), 0, 2 ** bits - 1).astype(np.int64)
    values[0, 0], values[-1, -1] = 0, 2 ** bits - 1
    if signed:
        values -= 2 ** (bits - 1)
    kind = {8: np.uint8, 16: np.uint16}[8 if bits <= 8 else 16]
    return values.astype(np.dtype(kind) if not signed else {np.uint8: np.int8, np.uint16: np.int16}[kind])


def native(values: np.ndarray, bits: int, **attributes):
    colour = values.ndim == 3
    ds = ct(SamplesPerPixel=3 if colour else 1, PhotometricInterpretation="RGB" if colour else "MONOCHROME2",
            BitsAllocated=values.dtype.itemsize * 8, BitsStored=bits, HighBit=bits - 1,
            PixelRepresentation=int(values.dtype.kind == "i"), Rows=values.shape[0], Columns=values.shape[1])
    if colour:
        ds.PlanarConfiguration = 0
    for keyword in ("RescaleSlope", "RescaleIntercept"):
        del ds[keyword]
    ds.PixelData = values.tobytes() + b"\0" * (values.nbytes % 2)
    ds["PixelData"].VR = "OB" if values.dtype.itemsize == 1 else "OW"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def expected_of(ds, values: np.ndarray) -> np.ndarray:
    return values.astype(float) * 255 / (2 ** ds.BitsStored - 1) if values.ndim == 3 else grey(ds, values, 0)


KINDS = {"8": (8, False, 2), "12": (12, False, 2), "16": (16, False, 2), "12s": (12, True, 2), "16s": (16, True, 2),
         "rgb": (8, False, 3)}


def made(kind: str):
    bits, signed, dimensions = KINDS[kind]
    values = noisy((61, 83) if dimensions == 2 else (61, 83, 3), bits, signed)
    return native(values, bits), values


DCMTK = {
    "jpeg-baseline": (["dcmcjpeg", "+eb", "+q", "98", "+s4"], ("8", "rgb"), 2.5),
    "jpeg-extended-12": (["dcmcjpeg", "+ee", "+bt", "+q", "98"], ("12",), 2.5),
    "jpeg-progressive": (["dcmcjpeg", "+ep", "+q", "98", "+s4"], ("8",), 2.5),
    "jpeg-lossless-57": (["dcmcjpeg", "+el", "+sv", "4"], ("8", "12", "16", "12s", "16s", "rgb"), 1),
    "jpeg-lossless-70": (["dcmcjpeg", "+e1"], ("8", "12", "16", "12s", "16s", "rgb"), 1),
    "jpeg-ls": (["dcmcjpls", "+el"], ("8", "12", "16", "12s", "16s", "rgb"), 1),
    "jpeg-ls-line": (["dcmcjpls", "+el", "+il"], ("rgb",), 1),
    "jpeg-ls-near": (["dcmcjpls", "+en", "+md", "1"], ("8", "12", "rgb"), 2.5),
    "rle": (["dcmcrle"], ("8", "12", "16", "12s", "16s", "rgb"), 1),
    "big-endian": (["dcmconv", "+tb"], ("8", "12", "16", "12s", "16s", "rgb"), 1),
    "implicit": (["dcmconv", "+ti"], ("16s", "rgb"), 1),
}


@pytest.mark.parametrize("name", DCMTK)
def test_what_dcmtk_compresses_is_shown(shared, name, tmp_path):
    command, kinds, allowed = DCMTK[name]
    for kind in kinds:
        ds, values = made(kind)
        expected = expected_of(ds, values)
        ds.save_as(tmp_path / "native.dcm", enforce_file_format=True)
        subprocess.run([*command, str(tmp_path / "native.dcm"), str(tmp_path / "made.dcm")], check=True, timeout=60)
        sent = raw.split_part10(tmp_path / "made.dcm")
        assert raw.store(shared, [sent]) == [0]
        ds.SOPInstanceUID = sent[1]  # lossy compression makes a new instance
        answer = rendered(shared, ds)
        assert answer.status_code == 200, (name, kind, answer.text)
        difference = np.abs(pixels(answer) - expected).mean()
        assert difference <= allowed, (name, kind, difference)


CODECS = {
    "j2k": (JPEG_2000, lambda v, b: imagecodecs.jpeg2k_encode(v, codecformat="j2k", reversible=True, level=0, bitspersample=b)),
    "jp2": (JPEG_2000, lambda v, b: imagecodecs.jpeg2k_encode(v, codecformat="jp2", reversible=True, level=0, bitspersample=b)),
    "j2k-lossy": ("1.2.840.10008.1.2.4.91", lambda v, b: imagecodecs.jpeg2k_encode(v, codecformat="j2k", level=60, bitspersample=b)),
    "htj2k": (HTJ2K, lambda v, b: imagecodecs.htj2k_encode(v)),
    "htj2k-rpcl": ("1.2.840.10008.1.2.4.202", lambda v, b: imagecodecs.htj2k_encode(v)),
    "jxl": (JPEG_XL, lambda v, b: imagecodecs.jpegxl_encode(v, lossless=True)),
    "jxl-lossy": ("1.2.840.10008.1.2.4.112", lambda v, b: imagecodecs.jpegxl_encode(v, lossless=False, distance=0.3)),
    "jxl-jpeg": ("1.2.840.10008.1.2.4.111", lambda v, b: imagecodecs.jpegxl_encode_jpeg(imagecodecs.jpeg8_encode(v, level=98, subsampling="444"))),
    "deflated-frame": ("1.2.840.10008.1.2.8.1", lambda v, b: deflated(v.tobytes())),
}


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CODECS)
def test_what_other_codecs_compress_is_shown(shared, name, kind):
    syntax, encoder = CODECS[name]
    ds, values = made(kind)
    if values.dtype.kind == "i" and name.startswith(("jxl", "htj2k")):
        pytest.skip("the encoder takes no signed samples")
    if name == "jxl-jpeg" and values.dtype != np.uint8:
        pytest.skip("a JPEG of 8 bits is what is recompressed")
    if name.startswith("j2k-lossy") and kind == "rgb":
        ds.PhotometricInterpretation = "YBR_ICT"
    expected = expected_of(ds, values)
    ds.PixelData = encapsulate([encoder(values, ds.BitsStored)])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    answer = rendered(shared, send(shared, ds))
    assert answer.status_code == 200, answer.text
    lossy = name in ("j2k-lossy", "jxl-lossy", "jxl-jpeg")
    assert np.abs(pixels(answer) - expected).mean() <= (3 if lossy else 1)


def test_rle_of_32_bits_and_a_deflated_mask_of_single_bits(shared):
    values = (np.arange(61 * 83).reshape(61, 83) * 800_000).astype(np.uint32)
    ds = native(values, 32)
    ds.PixelData = encapsulate([rle_frame(values)])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.5")
    assert np.abs(pixels(rendered(shared, send(shared, ds))) - stretched(values.astype(float), values.min(), values.max())).mean() <= 1

    mask = np.indices((61, 83)).sum(0) % 3 == 0
    ds = native(mask.astype(np.uint8), 1, BitsAllocated=1)
    ds.PixelData = encapsulate([deflated(np.packbits(mask.ravel(), bitorder="little").tobytes())])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.8.1")
    assert (pixels(rendered(shared, send(shared, ds))) == mask * 255).all()


def rle_frame(values: np.ndarray) -> bytes:
    """Literal runs only: one segment a byte, the most significant first."""
    planes = [((values >> shift) & 0xFF).astype(np.uint8).tobytes() for shift in range(values.dtype.itemsize * 8 - 8, -1, -8)]
    segments = []
    for plane in planes:
        packed = b"".join(bytes([len(plane[at:at + 128]) - 1]) + plane[at:at + 128] for at in range(0, len(plane), 128))
        segments.append(packed + b"\0" * (len(packed) % 2))
    offsets = np.cumsum([64, *map(len, segments)])[:-1]
    return struct.pack("<16I", len(segments), *offsets, *[0] * (15 - len(segments))) + b"".join(segments)


# ---- what a request asks for ----

def test_window_viewport_and_flips_are_those_asked_for(shared):
    values = noisy((64, 96), 12, False)
    ds = send(shared, native(values, 12, RescaleSlope=1, RescaleIntercept=-1024))
    hu = values - 1024.0
    for query, shown in (("?window=40,400,linear", np.clip((hu - 39.5) / 399 + 0.5, 0, 1)),
                         ("?window=40,400,linear-exact", np.clip((hu - 40) / 400 + 0.5, 0, 1)),
                         ("?window=40,400,sigmoid", 1 / (1 + np.exp(-4 * (hu - 40) / 400)))):
        assert np.abs(pixels(rendered(shared, ds, query=query)) - shown * 255).max() <= 1, query
    whole = pixels(rendered(shared, ds))
    part = pixels(rendered(shared, ds, query="?viewport=20,10,30,40,20,10"))
    assert (part == whole[40:50, 30:50]).all()
    assert (pixels(rendered(shared, ds, query="?viewport=96,64,,,-96,")) == whole[:, ::-1]).all()
    assert (pixels(rendered(shared, ds, query="?viewport=96,64,0,0,-96,-64")) == whole[::-1, ::-1]).all()
    assert pixels(rendered(shared, ds, query="?viewport=48,48")).shape == (32, 48)
    assert pixels(rendered(shared, ds, query="?viewport=960,960")).shape == (640, 960)
    jpeg = rendered(shared, ds, media="image/jpeg")
    assert jpeg.headers["content-type"] == "image/jpeg"
    assert np.abs(pixels(jpeg) - whole).mean() < 3
    assert len(rendered(shared, ds, query="?quality=20", media="image/jpeg").content) < len(jpeg.content)
    assert rendered(shared, ds, query="?window=1").status_code == 400
    assert rendered(shared, ds, frame=2).status_code == 404
    assert rendered(shared, ds, media="image/webp").status_code == 406
    again = requests.get(jpeg.url, headers={"accept": "image/jpeg", "if-none-match": jpeg.headers["etag"]})
    assert again.status_code == 304


def test_overlays_are_painted_when_asked_for(shared):
    plane = np.indices((64, 96)).sum(0) % 7 == 0
    ds = native(noisy((64, 96), 12, False), 12)
    ds.add_new(0x60000010, "US", 64)
    ds.add_new(0x60000011, "US", 96)
    ds.add_new(0x60000040, "CS", "G")
    ds.add_new(0x60000050, "SS", [1, 1])
    ds.add_new(0x60000100, "US", 1)
    ds.add_new(0x60000102, "US", 0)
    ds.add_new(0x60003000, "OW", np.packbits(plane.ravel(), bitorder="little").tobytes())
    send(shared, ds)
    plain, painted = pixels(rendered(shared, ds)), pixels(rendered(shared, ds, query="?overlays=yes"))
    assert (painted == np.where(plane, 255, plain)).all()


# ---- hostile frames ----

def hostile():
    """(name, transfer syntax, frame, attributes) of frames that are none."""
    noise = np.random.default_rng(3).bytes(30_000)
    syntaxes = {**{f"1.2.840.10008.1.2.4.{n}": b"" for n in (50, 51, 57, 70, 80, 81, 90, 91, 201, 202, 203, 110, 111, 112)},
                "1.2.840.10008.1.2.5": b"", "1.2.840.10008.1.2.8.1": b""}
    for syntax in syntaxes:
        yield f"noise in {syntax}", syntax, noise, {}
        yield f"nothing in {syntax}", syntax, b"\0\0", {}
        yield f"65535 x 65535 in {syntax}", syntax, noise, {"Rows": 65535, "Columns": 65535}
        yield f"6000 x 6000 in {syntax}", syntax, noise, {"Rows": 6000, "Columns": 6000}
    values = noisy((61, 83), 8, False)
    streams = {"1.2.840.10008.1.2.4.50": imagecodecs.jpeg8_encode(values), JPEG_LS: imagecodecs.jpegls_encode(values),
               "1.2.840.10008.1.2.4.70": imagecodecs.ljpeg_encode(values),
               JPEG_2000: imagecodecs.jpeg2k_encode(values, codecformat="j2k", reversible=True, level=0),
               HTJ2K: imagecodecs.htj2k_encode(values), JPEG_XL: imagecodecs.jpegxl_encode(values, lossless=True),
               "1.2.840.10008.1.2.8.1": deflated(values.tobytes())}
    for syntax, stream in streams.items():
        for share in (0.1, 0.5, 0.9):
            yield f"{share} of a stream in {syntax}", syntax, stream[:int(len(stream) * share)], {}
        for seed in range(12):
            broken = bytearray(stream)
            rng = np.random.default_rng(seed)
            for at in rng.integers(0, len(stream), 8):
                broken[at] ^= int(rng.integers(1, 256))
            yield f"stream {seed} with wrong bytes in {syntax}", syntax, bytes(broken), {}
        yield f"a small stream that says it is large in {syntax}", syntax, stream, {"Rows": 4000, "Columns": 4000}
    # A codestream of its own size: what it says itself is no better.
    jpeg = bytearray(streams["1.2.840.10008.1.2.4.50"])
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5:frame + 9] = struct.pack(">HH", 6000, 6000)
    yield "a JPEG of 6000 x 6000 from nothing", "1.2.840.10008.1.2.4.50", bytes(jpeg), {"Rows": 6000, "Columns": 6000}


@pytest.mark.filterwarnings("ignore")
def test_hostile_frames_cost_one_answer_each_and_others_are_served(bridge):
    good = send(bridge, compressed(slope(64), JPEG_2000))
    whole = pixels(rendered(bridge, good))
    answered = {}
    for at, (name, syntax, frame, attributes) in enumerate(hostile()):
        values = noisy((61, 83), 8, False)
        ds = native(values, 8)
        for keyword, value in attributes.items():
            setattr(ds, keyword, value)
        ds.PixelData = encapsulate([frame])
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
        ds.file_meta.TransferSyntaxUID = UID(syntax)
        send(bridge, ds)
        status = rendered(bridge, ds).status_code
        answered[status] = answered.get(status, 0) + 1
        # Wrong bytes may still be a picture, of something else; nothing else may come of them.
        assert status in ((200, 406, 422) if "wrong bytes" in name else (406, 422)), (name, status)
        assert bridge.process.poll() is None, name
        if at % 10 == 0:
            answer = rendered(bridge, good, query=f"?quality={1 + at % 100}")
            assert (pixels(answer) == whole).all(), name
    assert sum(answered.values()) > 150


def test_counts_and_sizes_that_cannot_be_are_refused(bridge):
    """Declared frames and rows that no data stands behind (native)."""
    ds = native(noisy((61, 83), 8, False), 8, NumberOfFrames=2_000_000_000)
    assert rendered(bridge, send(bridge, ds), frame=1_999_999_999).status_code == 404
    ds = native(noisy((61, 83), 8, False), 8, Rows=65535, Columns=65535)
    assert rendered(bridge, send(bridge, ds)).status_code == 406
    ds = native(noisy((61, 83), 8, False), 8, Rows=0)
    assert rendered(bridge, send(bridge, ds)).status_code == 406
    assert bridge.process.poll() is None


def test_a_decoder_that_is_killed_is_replaced_and_an_idle_one_ends(tmp_path):
    bridge = Bridge(tmp_path, '[limits]\ndecoder_idle = "1s"\npicture_cache = "0B"\n').start()
    try:
        ds = send(bridge, compressed(slope(64), JPEG_2000))
        assert rendered(bridge, ds).status_code == 200
        children = decoders(bridge)
        assert len(children) == 1
        status = Path(f"/proc/{children[0]}/status").read_text()
        assert "Seccomp:\t2" in status and "NoNewPrivs:\t1" in status
        assert Path(f"/proc/{children[0]}/limits").read_text().count("Max core file size        0") == 1
        closed_twice = "landlock" in Path("/sys/kernel/security/lsm").read_text() if Path("/sys/kernel/security/lsm").exists() else None
        if closed_twice is not None:
            assert f'"landlock":{str(closed_twice).lower()}' in bridge.log.read_text()
        os.kill(children[0], signal.SIGKILL)
        assert rendered(bridge, send(bridge, compressed(slope(64), JPEG_2000))).status_code == 200
        assert decoders(bridge) and decoders(bridge) != children
        deadline = time.monotonic() + 30
        while decoders(bridge):
            assert time.monotonic() < deadline, "an idle decoder does not end"
        assert rendered(bridge, ds).status_code == 200
        # With the daemon its decoders end, however it ends.
        children = decoders(bridge)
        bridge.kill()
        while any(Path(f"/proc/{child}").exists() for child in children):
            assert time.monotonic() < deadline, "a decoder outlives its daemon"
    finally:
        if bridge.process.poll() is None:
            bridge.stop()


def decoders(bridge) -> list[int]:
    """The daemon's children that are no zombies."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            text = status.read_text()
            if f"PPid:\t{bridge.process.pid}\n" in text and "State:\tZ" not in text:
                found.append(int(status.parent.name))
    return found


# ---- instances, series and studies ----

def at(bridge, ds, what: str, level: int = 3, media: str = "*/*", **headers):
    parts = ["studies", ds.StudyInstanceUID, "series", ds.SeriesInstanceUID, "instances", ds.SOPInstanceUID]
    return requests.get(f"{bridge.root}/{'/'.join(parts[:level * 2])}/{what}", headers={"accept": media, **headers}, timeout=60)


def test_a_series_is_rendered_part_by_part_and_what_is_no_image_is_left_out(shared):
    first_one = native(noisy((64, 96), 8, False), 8)
    series = [first_one]
    for number in (2, 3):
        ds = native(noisy((64, 96), 8, False), 8, StudyInstanceUID=first_one.StudyInstanceUID,
                    SeriesInstanceUID=first_one.SeriesInstanceUID, InstanceNumber=number)
        series.append(ds)
    series[1].PixelData = encapsulate([b"no codestream"])
    series[1]["PixelData"].is_undefined_length = True
    series[1].file_meta.TransferSyntaxUID = UID(JPEG_2000)
    for ds in series:
        send(shared, ds)
    for level in (1, 2):
        answer = at(shared, first_one, "rendered", level, 'multipart/related; type="image/png"')
        assert answer.status_code == 200, answer.text
        kind, boundary = re.fullmatch(r'multipart/related; type="(.*)"; boundary=(.*)', answer.headers["content-type"]).groups()
        parts = answer.content.split(b"--" + boundary.encode())[1:-1]
        assert kind == "image/png" and len(parts) == 2
        for part in parts:
            head, _, body = part.partition(b"\r\n\r\n")
            assert b"Content-Type: image/png" in head
            assert np.asarray(Image.open(io.BytesIO(body))).shape == (64, 96)


def test_dicomweb_client_retrieves_rendered(shared):
    from dicomweb_client.api import DICOMwebClient

    ds = send(shared, native(noisy((64, 96), 8, False), 8))
    client = DICOMwebClient(shared.root)
    uids = ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID
    whole = client.retrieve_instance_rendered(*uids, media_types=("image/png",))
    assert np.asarray(Image.open(io.BytesIO(whole))).shape == (64, 96)
    frame = client.retrieve_instance_frames_rendered(*uids, frame_numbers=[1], media_types=("image/jpeg",))
    assert np.asarray(Image.open(io.BytesIO(frame))).shape == (64, 96)


def test_thumbnails_at_every_level_are_small_and_kept(shared):
    study = native(noisy((640, 480), 12, False), 12)
    send(shared, study)
    for level in (1, 2, 3):
        answer = at(shared, study, "thumbnail", level)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "image/jpeg"
        assert max(Image.open(io.BytesIO(answer.content)).size) == 200
        assert at(shared, study, "thumbnail", level, **{"if-none-match": answer.headers["etag"]}).status_code == 304
    small = at(shared, study, "frames/1/thumbnail?viewport=64,64")
    assert Image.open(io.BytesIO(small.content)).size == (48, 64)


def test_a_thumbnail_is_of_what_was_acquired_and_a_plate_where_there_is_nothing_to_see(shared):
    slices = native(noisy((64, 96), 12, False), 12, WindowCenter=2048, WindowWidth=4096)
    send(shared, slices)
    study = slices.StudyInstanceUID
    for more in ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.2", "Modality": "RTDOSE"},
                 {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "Modality": "CT"}):
        many = native(np.zeros((8, 8), np.uint16), 16, StudyInstanceUID=study, NumberOfFrames=100, **more)
        many.PixelData *= 100
        send(shared, many)
        assert Image.open(io.BytesIO(at(shared, many, "thumbnail").content)).size == (8, 8)
    assert Image.open(io.BytesIO(at(shared, slices, "thumbnail", 1).content)).size == (96, 64)

    report = ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", Modality="SR", ValueType="CONTAINER")
    del report.PixelData
    send(shared, report)
    plates = [at(shared, report, "thumbnail", level, "image/png") for level in (1, 2, 3)]
    assert all(plate.status_code == 200 for plate in plates), plates[0].text
    assert len({plate.content for plate in plates}) == 1
    plate = pixels(plates[0])
    assert plate.shape == (200, 200) and plate[0, 0] < 64 and plate.max() == 255
    small = at(shared, report, "thumbnail?viewport=64,64")
    assert Image.open(io.BytesIO(small.content)).size == (64, 64)
    assert at(shared, ct(), "thumbnail").status_code == 404


def test_a_cine_is_a_gif_of_all_its_frames(shared):
    for colour in (False, True):
        frames = np.stack([np.full((40, 60, 3) if colour else (40, 60), 20 + 30 * n, np.uint8) for n in range(7)])
        ds = native(frames[0], 8)
        ds.NumberOfFrames, ds.FrameTime = 7, 50
        ds.PixelData = frames.tobytes()
        send(shared, ds)
        answer = at(shared, ds, "rendered", media="image/gif")
        assert answer.status_code == 200, answer.text
        moving = Image.open(io.BytesIO(answer.content))
        assert (moving.format, moving.n_frames, moving.info["duration"]) == ("GIF", 7, 50)
        for n in range(7):
            moving.seek(n)
            assert abs(int(np.asarray(moving.convert("L"))[20, 30]) - (20 + 30 * n)) <= 3
        assert at(shared, ds, "rendered").headers["content-type"] == "image/jpeg"


def test_a_cine_without_a_window_keeps_one_brightness_for_all_frames(shared):
    """Each frame in a window of its own would flicker: here every frame holds other values than the last."""
    slope = np.linspace(0, 300, 60).astype(np.uint16)
    frames = np.stack([np.tile(slope + 1000 * n, (40, 1)) for n in range(5)])
    ds = native(frames[0], 16)
    ds.NumberOfFrames, ds.FrameTime = 5, 100
    ds.PixelData = frames.tobytes()
    send(shared, ds)
    moving = Image.open(io.BytesIO(at(shared, ds, "rendered", media="image/gif").content))
    shown = []
    for n in range(5):
        moving.seek(n)
        shown.append(np.asarray(moving.convert("L")).astype(int).mean())
    expected = [(150 + 1000 * n) / 4300 * 255 for n in range(5)]
    assert np.allclose(shown, expected, atol=3), (shown, expected)


def test_documents_films_and_reports_are_what_they_are(shared):
    pdf = ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1", Modality="DOC")
    del pdf.PixelData
    body = b"%PDF-1.4\n" + bytes(range(256)) * 20
    pdf.EncapsulatedDocument, pdf.MIMETypeOfEncapsulatedDocument = body, "application/pdf"
    send(shared, pdf)
    answer = at(shared, pdf, "rendered")
    assert (answer.status_code, answer.headers["content-type"], answer.content[:len(body)]) == (200, "application/pdf", body)
    assert at(shared, pdf, "rendered", media="image/jpeg").status_code == 406
    # A short one stands in the metadata; the byte that makes a length even is no part of it.
    for length in (60, 61, 901, 5001):
        body = b"%PDF-1.4\n".ljust(length, b"x")
        pdf.EncapsulatedDocument, pdf.EncapsulatedDocumentLength = body + b"\0" * (length % 2), length
        pdf.SOPInstanceUID = generate_uid()
        send(shared, pdf)
        answer = at(shared, pdf, "rendered", media="application/pdf")
        assert (answer.status_code, answer.content) == (200, body)

    film = native(noisy((64, 96, 3), 8, False), 8, SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.4.1")
    stream = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 40
    film.PixelData = encapsulate([stream])
    film["PixelData"].VR = "OB"
    film["PixelData"].is_undefined_length = True
    film.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.102")
    send(shared, film)
    answer = at(shared, film, "rendered", media="video/mp4,*/*;q=0.5")
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "video/mp4", stream)
    piece = at(shared, film, "rendered", media="video/*", range="bytes=100-199")
    assert (piece.status_code, piece.content) == (206, stream[100:200])
    # HEVC in an MP4 is one, and has the name of PS3.18 too; a transport stream is no MP4.
    film.file_meta.TransferSyntaxUID, film.SOPInstanceUID = UID("1.2.840.10008.1.2.4.107"), generate_uid()
    send(shared, film)
    for media, name in (("video/mp4", "video/mp4"), ("video/h265", "video/H265"), ("*/*", "video/mp4")):
        answer = at(shared, film, "rendered", media=media)
        assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, name, stream)
    packets = (b"\x47" + bytes(187)) * 30
    film.PixelData, film.SOPInstanceUID = encapsulate([packets]), generate_uid()
    film.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.102")
    send(shared, film)
    answer = at(shared, film, "rendered")
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "video/mpeg", packets)

    report = dcmread(FILES / "reportsi.dcm")
    assert raw.store(shared, [raw.split_part10(FILES / "reportsi.dcm")]) == [0]
    answer = at(shared, report, "rendered", media="text/html")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
    words = [item.TextValue for item in report.ContentSequence if item.ValueType == "TEXT"]
    assert words and all(word.strip().replace("\r\n", "\n").split("\n")[0] in answer.text for word in words)
    hostile_report = ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", Modality="SR", ValueType="CONTAINER",
                        PatientName="<script>alert(1)</script>")
    del hostile_report.PixelData
    page = at(shared, send(shared, hostile_report), "rendered").text
    assert "&lt;script&gt;" in page and "<script" not in page


def test_a_page_of_thumbnails_comes_at_once(shared):
    """25 of them: compressed CT slices of 512 x 512, from the decoder and then from the cache."""
    slices = [send(shared, compressed(slope(512) + n, JPEG_2000, InstanceNumber=n)) for n in range(25)]
    for seconds in (5 if "debug" in BINARY else 1, 0.5 if "debug" in BINARY else 0.1):
        with ThreadPoolExecutor(6) as readers, requests.Session() as session:
            url = [f"{shared.root}/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/thumbnail" for ds in slices]
            begin = time.monotonic()
            answers = list(readers.map(session.get, url))
            took = time.monotonic() - begin
        assert all(answer.status_code == 200 for answer in answers)
        print(f"25 thumbnails in {took:.3f} s")
        assert took < seconds * PATIENCE


# ---- annotation and colour spaces ----

def test_annotation_is_drawn_and_pictures_without_it_stay_as_they_are(shared):
    ds = send(shared, native(noisy((400, 400), 12, False), 12, KVP=120, PatientName="NAME^GIVEN"))
    plain = pixels(rendered(shared, ds))
    for query, top, bottom in (("patient", True, False), ("technique", False, True), ("patient,technique", True, True)):
        drawn = pixels(rendered(shared, ds, query=f"?annotation={query}"))
        changed = (drawn != plain)
        assert changed[:80, :200].any() == top and changed[-160:, :200].any() == bottom
        assert not changed[:, 250:].any() and not changed[120:200].any()
    assert (pixels(rendered(shared, ds)) == plain).all()
    assert rendered(shared, ds, query="?annotation=everything").status_code == 400


def test_colour_pictures_come_in_the_space_that_is_asked_for(shared):
    from PIL import ImageCms

    values = noisy((60, 84, 3), 8, False)
    ds = send(shared, native(values, 8))
    srgb = ImageCms.createProfile("sRGB")
    for media in ("image/png", "image/jpeg"):
        for space in ("no", "yes", "srgb", "adobergb", "rommrgb", "displayp3"):
            answer = rendered(shared, ds, query=f"?iccprofile={space}&quality=100", media=media)
            picture = Image.open(io.BytesIO(answer.content))
            profile = picture.info.get("icc_profile")
            assert (profile is None) == (space == "no"), (media, space)
            if profile is None:
                continue
            # Another colour management brings the picture back to what is stored.
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            back = np.asarray(ImageCms.profileToProfile(picture, own, srgb, outputMode="RGB")).astype(float)
            assert np.abs(back - values).mean() < (3 if media == "image/png" else 6), (media, space)
    # The object's own profile is passed on, or transformed away.
    wide = ImageCms.ImageCmsProfile(io.BytesIO(Image.open(io.BytesIO(rendered(shared, ds, query="?iccprofile=adobergb").content)).info["icc_profile"])).tobytes()
    own = send(shared, native(values, 8, ICCProfile=wide + b"\0" * (len(wide) % 2)))
    kept = Image.open(io.BytesIO(rendered(shared, own, query="?iccprofile=yes").content))
    assert kept.info["icc_profile"].rstrip(b"\0") == wide.rstrip(b"\0") and (np.asarray(kept) == values).all()
    turned = np.asarray(Image.open(io.BytesIO(rendered(shared, own, query="?iccprofile=srgb").content))).astype(float)
    expected = ImageCms.profileToProfile(Image.fromarray(values), ImageCms.ImageCmsProfile(io.BytesIO(wide)), srgb, outputMode="RGB")
    assert np.abs(turned - np.asarray(expected).astype(float)).mean() < 3
    grey = send(shared, native(noisy((60, 84), 8, False), 8))
    assert Image.open(io.BytesIO(rendered(shared, grey, query="?iccprofile=srgb").content)).info.get("icc_profile") is None
    nonsense = send(shared, native(values, 8, ICCProfile=bytes(range(256)) * 8))
    assert rendered(shared, nonsense, query="?iccprofile=adobergb").status_code == 406
    assert rendered(shared, nonsense, query="?iccprofile=no").status_code == 200


# ---- beside DCMTK ----

def test_pictures_are_those_of_dcm2pnm(bridge, tmp_path):
    """Grey and colour in full range or in the object's first window, as far as DCMTK reads the file."""
    differences, skipped = {}, []
    for at, path in enumerate(shown_files()):
        sent = raw.split_part10(path)
        uid = "1." + str(at + 1).ljust(len(sent[1]) - 2, "0")
        ds = dcmread(path)
        ds.SOPInstanceUID = uid
        window = ds.get("WindowCenter") is not None and ds.get("VOILUTFunction", "LINEAR") == "LINEAR"
        options = ["+Wi", "1"] if window else ["+Wm"]
        # DCMTK shows padding by other rules, and whole ranges of up to 8 bits by theirs.
        if "PixelPaddingValue" in ds or (not window and ds.get("SamplesPerPixel") == 1 and ds.PhotometricInterpretation != "PALETTE COLOR"):
            skipped.append(path.name)
            continue
        # Which of DCMTK's decoders a program has; none has JPEG 2000.
        tool = "dcml2pnm" if sent[2][-5:] in (".4.80", ".4.81") else "dcmj2pnm" if ".1.2.4." in sent[2] else "dcm2pnm"
        done = subprocess.run([tool, "+on", *options, "--no-overlays", str(path), str(tmp_path / "dcmtk.png")],
                              capture_output=True, timeout=60)
        if done.returncode != 0:
            skipped.append(path.name)
            continue
        assert raw.store(bridge, [(sent[0], uid, sent[2], sent[3].replace(sent[1].encode(), uid.encode()))]) == [0]
        theirs = np.asarray(Image.open(tmp_path / "dcmtk.png")).astype(float)
        ours = pixels(rendered(bridge, ds))
        if ours.ndim == 2 and theirs.ndim == 3:
            theirs = theirs.mean(axis=2)
        if ours.shape != theirs.shape:  # pixels that are not square: dcm2pnm leaves them so
            spacing = ds.get("PixelSpacing") or ds.get("PixelAspectRatio")
            assert spacing and spacing[0] != spacing[1], (path.name, ours.shape, theirs.shape)
            continue
        differences[path.name] = np.abs(ours - theirs).mean()
    print(f"{len(differences)} compared, {len(skipped)} skipped: {skipped}")
    wrong = {name: difference for name, difference in differences.items() if difference > 1.5}
    assert not wrong, wrong
    assert len(differences) > 25


def test_a_small_picture_of_a_large_jpeg_2000_is_that_of_its_native_twin(shared):
    """It is decoded in the size that is needed; nothing else about it may change."""
    for values, bits in ((noisy((1001, 1403), 12, False), 12), (noisy((1001, 1403, 3), 8, False), 8)):
        window = {"WindowCenter": 2000, "WindowWidth": 4000} if values.ndim == 2 else {}
        twin = send(shared, native(values, bits, **window))
        ds = native(values, bits, **window)
        ds.PixelData = encapsulate([imagecodecs.jpeg2k_encode(values, codecformat="j2k", reversible=True, level=0, bitspersample=bits)])
        ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
        ds.file_meta.TransferSyntaxUID = UID(JPEG_2000)
        send(shared, ds)
        for query in ("?viewport=200,200", "?viewport=701,600", "?viewport=64,500&annotation=technique", "?viewport=2000,2000",
                      "?viewport=100,100,300,200,-500,400"):
            small, expected = pixels(rendered(shared, ds, query=query)), pixels(rendered(shared, twin, query=query))
            assert small.shape == expected.shape, query
            # Less of the noise is averaged away (and more of it cut off at white); nothing moves.
            assert np.abs(small - expected).mean() < 4, (query, np.abs(small - expected).mean())
            assert abs(small.mean() - expected.mean()) < 2, query
        assert (pixels(rendered(shared, ds)) == pixels(rendered(shared, twin))).all()
        assert Image.open(io.BytesIO(at(shared, ds, "thumbnail").content)).size == Image.open(io.BytesIO(at(shared, twin, "thumbnail").content)).size
