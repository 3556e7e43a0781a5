"""Instances and frames in another transfer syntax than the stored one, read by pydicom, imagecodecs and DCMTK."""
from __future__ import annotations

import email
import io
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
import raw
import requests
from conftest import Bridge, ct
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import pixel_array
from pydicom.uid import UID
from test_pixels import HTJ2K, JPEG_2000, JPEG_LS, hostile, native, noisy, send, shown_files, slope

EXPLICIT, RLE, LOSSLESS = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.70"
TARGETS = [EXPLICIT, JPEG_LS, JPEG_2000, RLE, LOSSLESS]
BASELINE, NEAR, J2K_LOSSY = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.91"
METHOD = {BASELINE: "ISO_10918_1", NEAR: "ISO_14495_1", J2K_LOSSY: "ISO_15444_1"}

pytestmark = pytest.mark.filterwarnings("ignore")


def url(bridge, ds, levels: int = 3, rest: str = "") -> str:
    parts = ["studies", ds.StudyInstanceUID, "series", ds.SeriesInstanceUID, "instances", ds.SOPInstanceUID]
    return f"{bridge.root}/{'/'.join(parts[:levels * 2])}{rest}"


def retrieve(bridge, ds, syntax: str | None = None, **headers) -> requests.Response:
    accept = "application/dicom" + (f"; transfer-syntax={syntax}" if syntax else "")
    return requests.get(url(bridge, ds), headers={"accept": accept, **headers}, timeout=120)


def opened(answer: requests.Response) -> pydicom.Dataset:
    assert answer.status_code == 200, answer.text
    return dcmread(io.BytesIO(answer.content))


def parts(answer: requests.Response) -> list[tuple[dict, bytes]]:
    assert answer.status_code == 200, answer.text
    boundary = re.search("boundary=(.*)", answer.headers["content-type"])[1].encode()
    found = []
    for part in answer.content.split(b"--" + boundary)[1:-1]:
        head, _, body = part.partition(b"\r\n\r\n")
        found.append((dict(email.message_from_bytes(head.lstrip(b"\r\n"))), body[:-2]))
    return found


IGNORED = {"TransferSyntaxUID", "PixelData", "PhotometricInterpretation", "PlanarConfiguration", "BitsAllocated", "BitsStored",
           "HighBit", "ExtendedOffsetTable", "ExtendedOffsetTableLengths", "LossyImageCompression"}


def same_attributes(stored: pydicom.Dataset, got: pydicom.Dataset) -> None:
    """Everything but the attributes that follow the pixels."""
    skipped = lambda elem: elem.keyword in IGNORED or elem.tag.element == 0 or elem.tag == 0xFFFCFFFC
    tags = lambda ds: [elem.tag for elem in ds if not skipped(elem)]
    assert tags(stored) == tags(got)
    for elem in stored:
        if not skipped(elem) and elem.VR != "SQ":
            # As text, because NaN is not itself.
            assert elem.value == got[elem.tag].value or str(elem.value) == str(got[elem.tag].value), elem.tag


def sources(bridge):
    """Every packaged file that pydicom decodes, as an instance of its own, with its pixels."""
    for at, path in enumerate(shown_files()):
        sent = raw.split_part10(path)
        uid = "1." + str(at + 1).ljust(len(sent[1]) - 2, "0")
        ds = dcmread(io.BytesIO(path.read_bytes().replace(sent[1].encode(), uid.encode())))
        sent = (sent[0], uid, sent[2], sent[3].replace(sent[1].encode(), uid.encode()))
        try:
            expected = pixel_array(ds)
        except Exception:  # pydicom cannot say it
            continue
        assert raw.store(bridge, [sent]) == [0], path.name
        yield path, ds, expected


def is_lossy(ds) -> bool:
    """What pydicom's decoders make of a JPEG with loss is not to the bit what ours make of it."""
    return ds.file_meta.TransferSyntaxUID in (BASELINE, "1.2.840.10008.1.2.4.51")


def test_every_file_of_pydicom_comes_in_every_lossless_syntax(bridge):
    compared, refused = 0, {}
    for path, ds, expected in sources(bridge):
        for target in TARGETS:
            answer = retrieve(bridge, ds, target)
            if answer.status_code == 406:
                refused.setdefault(target, []).append(path.name)
                assert answer.headers["content-type"] == "application/problem+json"
                continue
            got = opened(answer)
            assert got.file_meta.TransferSyntaxUID == target, path.name
            assert f"transfer-syntax={target}" in answer.headers["content-type"]
            assert got.SOPInstanceUID == ds.SOPInstanceUID and got.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID
            same_attributes(ds, got)
            pixels = pixel_array(got)
            assert pixels.shape == expected.shape, (path.name, target)
            if is_lossy(ds):
                difference = np.abs(pixels.astype(float) - expected.astype(float)).mean()
                assert difference <= (1.5 if ds.BitsAllocated == 8 else 2), (path.name, target, difference)
                assert got.LossyImageCompression == "01"
            else:
                assert np.array_equal(pixels, expected), (path.name, target)
            compared += 1
    print({target: sorted(names) for target, names in refused.items()})
    assert EXPLICIT not in refused, refused
    assert compared > 350 and all(len(names) <= 20 for names in refused.values()), (compared, refused)


# ---- made: every shape of pixels, from every syntax ----

def multi(values: np.ndarray, bits: int, **attributes):
    """Frames along the first axis."""
    ds = native(values[0], bits, NumberOfFrames=len(values), **attributes)
    ds.PixelData = values.tobytes() + b"\0" * (values.nbytes % 2)
    return ds


def made() -> dict[str, pydicom.Dataset]:
    grey8, grey12, signed16 = noisy((61, 83), 8, False), noisy((61, 83), 12, False), noisy((61, 83), 16, True)
    colour, capture = noisy((60, 84, 3), 8, False), {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}
    found = {
        "8": native(grey8, 8), "12": native(grey12, 12), "16s": native(signed16, 16),
        "12s": native(noisy((61, 83), 12, True), 12), "16": native(noisy((61, 83), 16, False), 16),
        "rgb": native(colour, 8, **capture),
        "frames": multi(np.stack([grey12, grey12[::-1], grey12[:, ::-1]]).copy(), 12),
        "odd frames": multi(np.stack([grey8[:, :81], grey8[::-1, :81], grey8[:, :81]]).copy(), 8),
        "rgb frames": multi(np.stack([colour, colour[::-1]]).copy(), 8, **capture),
    }
    planar = native(colour, 8, PlanarConfiguration=1, **capture)
    planar.PixelData = colour.transpose(2, 0, 1).tobytes()
    found["planar"] = planar
    palette = native(grey8, 8, PhotometricInterpretation="PALETTE COLOR", **capture)
    for name in ("Red", "Green", "Blue"):
        setattr(palette, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(palette, f"{name}PaletteColorLookupTableData", (np.arange(256) * 257).astype("<u2").tobytes())
    found["palette"] = palette
    ybr = native(colour, 8, PhotometricInterpretation="YBR_FULL", **capture)
    found["ybr"] = ybr
    wide = native(grey12, 12)
    wide.BitsAllocated, wide.PixelData = 32, grey12.astype("<u4").tobytes()
    found["32 bits"] = wide
    bits = native(grey8, 8, BitsAllocated=1, BitsStored=1, HighBit=0, Rows=3, Columns=5, NumberOfFrames=3)
    bits.PixelData = np.packbits(np.arange(45) % 3 == 0, bitorder="little").tobytes()
    found["1 bit"] = bits
    overlay = native(grey8, 8)
    overlay.add_new(0x60000010, "US", 61)
    overlay.add_new(0x60000011, "US", 83)
    overlay.add_new(0x60003000, "OW", np.packbits(grey8 > 128, bitorder="little").tobytes() + b"\0")
    found["overlay"] = overlay
    return found


ONLY_EXPLICIT = {"1 bit": {JPEG_LS, JPEG_2000, RLE, LOSSLESS}, "32 bits": {JPEG_LS, JPEG_2000, LOSSLESS}}


@pytest.mark.parametrize("target", TARGETS)
def test_every_shape_of_pixels_comes_in_every_lossless_syntax(shared, target, tmp_path):
    for kind, ds in made().items():
        send(shared, ds)
        answer = retrieve(shared, ds, target)
        if target in ONLY_EXPLICIT.get(kind, ()):
            assert answer.status_code == 406, kind
            assert "cannot be written as" in answer.json()["detail"]
            continue
        got = opened(answer)
        same_attributes(ds, got)
        assert np.array_equal(pixel_array(got, raw=True) if kind == "ybr" else pixel_array(got),
                              pixel_array(ds, raw=True) if kind == "ybr" else pixel_array(ds)), kind
        if target != EXPLICIT:
            again(shared, got, ds, kind, target)
        (tmp_path / "got.dcm").write_bytes(answer.content)
        dumped = subprocess.run(["dcmdump", str(tmp_path / "got.dcm")], capture_output=True, text=True, timeout=60)
        assert dumped.returncode == 0 and "E:" not in dumped.stderr, (kind, dumped.stderr)
        decoder = {JPEG_LS: "dcmdjpls", RLE: "dcmdrle", LOSSLESS: "dcmdjpeg +cn"}.get(target)
        if decoder:
            plain = tmp_path / "plain.dcm"
            subprocess.run([*decoder.split(), str(tmp_path / "got.dcm"), str(plain)], check=True, timeout=60)
            # DCMTK leaves planes as they were said to be, and makes no colour of YBR_FULL.
            assert np.array_equal(pixel_array(dcmread(plain), raw=kind == "ybr"), pixel_array(ds, raw=kind == "ybr")), kind
        if kind != "32 bits":  # no CT has them
            assert new_complaints(ds, tmp_path / "got.dcm", tmp_path) == set(), (kind, target)


def new_complaints(ds, path: Path, tmp_path: Path) -> set[str]:
    """What dciodvfy says against the transcoded file and did not say against the stored one."""
    def errors(path: Path) -> set[str]:
        said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, errors="replace", timeout=60)
        return {line for line in (said.stdout + said.stderr).splitlines() if line.startswith("Error")}

    ds.save_as(tmp_path / "stored.dcm", enforce_file_format=True)
    return errors(path) - errors(tmp_path / "stored.dcm")


def again(bridge, compressed, ds, kind: str, target: str) -> None:
    """The compressed instance, stored under a name of its own, comes back in Explicit VR Little Endian."""
    compressed.SOPInstanceUID = compressed.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    data = io.BytesIO()
    compressed.save_as(data, enforce_file_format=True)
    path = Path(bridge.folder) / "again.dcm"
    path.write_bytes(data.getvalue())
    assert raw.store(bridge, [raw.split_part10(path)]) == [0]
    for accept in ("application/dicom", f"application/dicom; transfer-syntax={EXPLICIT}"):
        answer = requests.get(url(bridge, compressed), headers={"accept": accept}, timeout=60)
        plain = opened(answer)
        assert plain.file_meta.TransferSyntaxUID == EXPLICIT
        assert np.array_equal(pixel_array(plain, raw=kind == "ybr"), pixel_array(ds, raw=kind == "ybr")), (kind, target)
        assert plain["PixelData"].VR == ("OB" if plain.BitsAllocated <= 8 else "OW")
        assert plain.PhotometricInterpretation == ds.PhotometricInterpretation, (kind, target)


def test_other_codecs_are_decoded_for_who_asks_for_nothing_in_particular(shared):
    for syntax, encode in [
        (HTJ2K, imagecodecs.htj2k_encode),
        ("1.2.840.10008.1.2.4.110", lambda v: imagecodecs.jpegxl_encode(v, lossless=True)),
        (JPEG_2000, lambda v: imagecodecs.jpeg2k_encode(v, codecformat="j2k", reversible=True, level=0)),
        ("1.2.840.10008.1.2.1.98", lambda v: v.tobytes()),
    ]:
        for values, bits in ((noisy((61, 83), 16, False), 16), (noisy((60, 84, 3), 8, False), 8)):
            frames = np.stack([values, values[::-1]]).copy()
            ds = multi(frames, bits)
            ds.PixelData = encapsulate([encode(np.ascontiguousarray(frame)) for frame in frames])
            ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
            ds.file_meta.TransferSyntaxUID = UID(syntax)
            if values.ndim == 3 and syntax == JPEG_2000:
                ds.PhotometricInterpretation = "YBR_RCT"
            send(shared, ds)
            for level, accept in ((3, "application/dicom"), (3, 'multipart/related; type="application/dicom"'),
                                  (2, 'multipart/related; type="application/dicom"'), (1, "multipart/related; type=application/dicom")):
                answer = requests.get(url(shared, ds, level), headers={"accept": accept}, timeout=60)
                body = answer.content if accept == "application/dicom" else parts(answer)[0][1]
                got = dcmread(io.BytesIO(body))
                assert got.file_meta.TransferSyntaxUID == EXPLICIT
                assert np.array_equal(pixel_array(got), frames), (syntax, accept)
                if values.ndim == 3:
                    assert (got.PhotometricInterpretation, got.PlanarConfiguration) == ("RGB", 0)
            # Whoever takes anything gets what is stored.
            for accept in ("*/*", "application/dicom; transfer-syntax=*"):
                answer = requests.get(url(shared, ds), headers={"accept": accept}, timeout=60)
                assert syntax in (answer.headers["content-type"] if "*/*" not in accept else str(parts(answer)[0][0]))


# ---- with loss ----

@pytest.mark.parametrize("target", METHOD)
def test_a_lossy_syntax_is_a_new_instance_that_says_so(shared, target, tmp_path):
    for kind, allowed in (("8", 3), ("rgb", 6), ("12", 40), ("16s", 600), ("frames", 40)):
        ds = made()[kind]
        ds.DerivationDescription = "Cut out"
        send(shared, ds)
        answer = retrieve(shared, ds, target)
        if target == BASELINE and kind not in ("8", "rgb") or target == NEAR and kind == "16s":
            assert answer.status_code == 406, (kind, answer.status_code)
            continue
        got = opened(answer)
        assert got.file_meta.TransferSyntaxUID == target
        assert got.SOPInstanceUID != ds.SOPInstanceUID and got.SOPInstanceUID.startswith("2.25.")
        assert got.file_meta.MediaStorageSOPInstanceUID == got.SOPInstanceUID
        assert got.LossyImageCompression == "01" and got.LossyImageCompressionMethod == METHOD[target]
        encoded = len(next(generate_frames(got.PixelData, number_of_frames=int(got.get("NumberOfFrames", 1)))))
        whole = ds.Rows * ds.Columns * ds.SamplesPerPixel * ds.BitsAllocated // 8
        assert abs(float(got.LossyImageCompressionRatio) - whole / encoded) < 0.2
        assert got.ImageType == ["DERIVED", *ds.ImageType[1:]]
        assert re.match("Cut out ?; Lossy compression", got.DerivationDescription)
        assert got.DerivationCodeSequence[0].CodeValue == "113040"
        source = got.SourceImageSequence[-1]
        assert (source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID) == (ds.SOPClassUID, ds.SOPInstanceUID)
        expected = {BASELINE: "YBR_FULL_422", NEAR: "RGB", J2K_LOSSY: "YBR_ICT"}[target] if kind == "rgb" else "MONOCHROME2"
        assert got.PhotometricInterpretation == expected
        difference = np.abs(pixel_array(got).astype(float) - pixel_array(ds).astype(float)).mean()
        assert 0 < difference < allowed, (kind, difference)
        # The same again, to the byte and by its name.
        repeat = retrieve(shared, ds, target)
        assert (repeat.content, repeat.headers["etag"]) == (answer.content, answer.headers["etag"])
        (tmp_path / "got.dcm").write_bytes(answer.content)
        assert new_complaints(ds, tmp_path / "got.dcm", tmp_path) == set(), kind
        # Nobody gets loss who did not ask for exactly that.
        assert opened(retrieve(shared, ds)).SOPInstanceUID == ds.SOPInstanceUID
    # What was lossy before says how often.
    ds = made()["8"]
    ds.LossyImageCompression, ds.LossyImageCompressionRatio, ds.LossyImageCompressionMethod = "01", "12.5", "ISO_15444_1"
    send(shared, ds)
    got = opened(retrieve(shared, ds, target))
    assert got.LossyImageCompressionMethod == ["ISO_15444_1", METHOD[target]]
    assert len(got.LossyImageCompressionRatio) == 2 and got.LossyImageCompressionRatio[0] == 12.5


def test_a_jpeg_says_that_it_was_lossy_after_it_is_decoded(shared, tmp_path):
    ds = native(noisy((60, 84, 3), 8, False), 8)
    ds.save_as(tmp_path / "native.dcm", enforce_file_format=True)
    subprocess.run(["dcmcjpeg", "+eb", "+q", "95", str(tmp_path / "native.dcm"), str(tmp_path / "jpeg.dcm")], check=True)
    stored = dcmread(tmp_path / "jpeg.dcm")
    del stored.LossyImageCompression
    data = tmp_path / "without.dcm"
    stored.save_as(data, enforce_file_format=True)
    assert raw.store(shared, [raw.split_part10(data)]) == [0]
    got = opened(retrieve(shared, stored))
    assert (got.LossyImageCompression, got.PhotometricInterpretation, got.PlanarConfiguration) == ("01", "RGB", 0)
    assert np.abs(pixel_array(got).astype(float) - pixel_array(stored).astype(float)).mean() < 1.5


# ---- frames ----

def test_frames_come_as_they_are_asked_for(shared):
    frames = np.stack([slope(64), slope(64)[::-1], slope(64).T]).copy()
    ds = send(shared, multi(frames, 12))
    compressed = multi(frames, 12)
    compressed.PixelData = encapsulate([imagecodecs.jpegls_encode(np.ascontiguousarray(frame)) for frame in frames])
    compressed["PixelData"].VR, compressed["PixelData"].is_undefined_length = "OB", True
    compressed.file_meta.TransferSyntaxUID = UID(JPEG_LS)
    send(shared, compressed)
    decoders = {
        "image/jls": imagecodecs.jpegls_decode,
        "image/jp2": imagecodecs.jpeg2k_decode,
        "application/octet-stream": lambda data: np.frombuffer(data, "<u2").reshape(64, 64),
    }
    for stored in (ds, compressed):
        for media, decode in decoders.items():
            answer = requests.get(url(shared, stored, rest="/frames/3,1"), timeout=60,
                                  headers={"accept": f'multipart/related; type="{media}"'})
            got = parts(answer)
            assert [np.array_equal(decode(body), frames[n]) for (_, body), n in zip(got, (2, 0), strict=True)] == [True, True]
            assert all(head["Content-Type"].startswith(f"{media}; transfer-syntax=1.2.840") for head, _ in got)
            one = requests.get(url(shared, stored, rest="/frames/2"), headers={"accept": media}, timeout=60)
            assert np.array_equal(decode(one.content), frames[1]), media
            tag = {"if-none-match": one.headers["etag"]}
            assert requests.get(url(shared, stored, rest="/frames/2"), headers={"accept": media, **tag}).status_code == 304
            piece = requests.get(url(shared, stored, rest="/frames/2"), headers={"accept": media, "range": "bytes=10-99"})
            assert (piece.status_code, piece.content) == (206, one.content[10:100])
        rle = requests.get(url(shared, stored, rest="/frames/1"), headers={"accept": "image/dicom-rle"}, timeout=60)
        assert rle.status_code == 200 and rle.content[:4] == b"\2\0\0\0"
        lossy = requests.get(url(shared, stored, rest="/frames/1"), timeout=60,
                             headers={"accept": f"image/jp2; transfer-syntax={J2K_LOSSY}"})
        assert 0 < np.abs(imagecodecs.jpeg2k_decode(lossy.content).astype(float) - frames[0]).mean() < 40
        # Twelve bits are no baseline JPEG, and nobody gets loss without asking.
        for accept in (f"image/jpeg; transfer-syntax={BASELINE}", "image/jpeg", "image/jphc"):
            refused = requests.get(url(shared, stored, rest="/frames/1"), headers={"accept": accept}, timeout=60)
            assert refused.status_code == 406, accept
        assert requests.get(url(shared, stored, rest="/frames/4"), headers={"accept": "image/jp2"}).status_code == 404


def test_ranges_over_a_multipart_body_of_stored_frames_are_those_of_the_whole(shared):
    """As cornerstone's progressive loading asks for them."""
    frames = np.stack([slope(64), slope(64)[::-1]]).copy()
    compressed = multi(frames, 12)
    compressed.PixelData = encapsulate([imagecodecs.htj2k_encode(np.ascontiguousarray(frame)) for frame in frames])
    compressed["PixelData"].VR, compressed["PixelData"].is_undefined_length = "OB", True
    compressed.file_meta.TransferSyntaxUID = UID(HTJ2K)
    send(shared, compressed)
    accept = {"accept": 'multipart/related; type="image/jphc"; transfer-syntax=*'}
    for frame in ("1", "1,2"):
        where = url(shared, compressed, rest=f"/frames/{frame}")
        whole = requests.get(where, headers=accept)
        assert whole.headers["accept-ranges"] == "bytes" and len(whole.content) == int(whole.headers["content-length"])
        got = b""
        while len(got) < len(whole.content):
            piece = requests.get(where, headers={**accept, "range": f"bytes={len(got)}-{len(got) + 999}"})
            assert piece.status_code == 206 and piece.headers["content-range"].endswith(f"/{len(whole.content)}")
            assert piece.headers["etag"] == whole.headers["etag"]
            got += piece.content
        assert got == whole.content


# ---- conditions, refusals, faults ----

def test_what_is_known_is_not_made_again_and_nothing_is_made_for_a_head(tmp_path):
    bridge = Bridge(tmp_path).start()
    try:
        ds = send(bridge, native(noisy((61, 83), 12, False), 12))
        head = requests.head(url(bridge, ds), headers={"accept": f"application/dicom; transfer-syntax={JPEG_LS}"})
        assert head.status_code == 200 and JPEG_LS in head.headers["content-type"]
        same = retrieve(bridge, ds, JPEG_LS, **{"if-none-match": head.headers["etag"]})
        other = retrieve(bridge, ds, JPEG_LS, **{"if-match": '"another"'})
        assert (same.status_code, other.status_code) == (304, 412)
        assert "a decoder has started" not in bridge.log.read_text()
        tags = {target: retrieve(bridge, ds, target).headers["etag"] for target in (*TARGETS, NEAR, J2K_LOSSY)}
        assert len(set(tags.values())) == len(tags)
        assert tags[JPEG_LS] == head.headers["etag"]
    finally:
        bridge.stop()


def test_a_study_comes_in_one_syntax_and_what_has_no_pixels_as_it_is(shared):
    first = native(noisy((61, 83), 12, False), 12)
    second = native(noisy((61, 83), 12, False), 12, StudyInstanceUID=first.StudyInstanceUID)
    report = ct(StudyInstanceUID=first.StudyInstanceUID)
    del report.PixelData
    for ds in (first, second, report):
        send(shared, ds)
    accept = f'multipart/related; type="application/dicom"; transfer-syntax={JPEG_LS}'
    got = {}
    for head, body in parts(requests.get(url(shared, first, 1), headers={"accept": accept}, timeout=60)):
        ds = dcmread(io.BytesIO(body))
        assert ds.file_meta.TransferSyntaxUID in head["Content-Type"]
        got[ds.SOPInstanceUID] = ds.file_meta.TransferSyntaxUID
    assert got == {first.SOPInstanceUID: JPEG_LS, second.SOPInstanceUID: JPEG_LS, report.SOPInstanceUID: EXPLICIT}


def broken(frames: list[bytes], **attributes):
    ds = native(noisy((61, 83), 8, False), 8, **attributes)
    ds.PixelData = encapsulate(frames)
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    ds.file_meta.TransferSyntaxUID = UID(JPEG_LS)
    return ds


def test_damage_is_an_error_at_once_or_ends_the_connection(shared):
    good = imagecodecs.jpegls_encode(noisy((61, 83), 8, False))
    at_once = send(shared, broken([b"\xff\xd8 no codestream"]))
    answer = retrieve(shared, at_once)
    assert answer.status_code == 422 and "decoded" in answer.json()["detail"]
    assert requests.get(url(shared, at_once, rest="/frames/1"), headers={"accept": "application/octet-stream"}).status_code == 422
    # What is stored can still be had.
    assert retrieve(shared, at_once, "*").status_code == 200
    later = send(shared, broken([good, good, b"\xff\xd8 no codestream", good], NumberOfFrames=4))
    for accept in ("application/dicom", 'multipart/related; type="application/dicom"'):
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            requests.get(url(shared, later), headers={"accept": accept}, timeout=60)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.get(url(shared, later, rest="/frames/1,2,3"), timeout=60,
                     headers={"accept": "multipart/related; type=application/octet-stream"})
    # Fewer frames than declared are told before the first byte.
    fewer = send(shared, broken([good], NumberOfFrames=9))
    assert retrieve(shared, fewer).status_code in (406, 422)
    good_one = send(shared, broken([good]))
    assert opened(retrieve(shared, good_one)).Rows == 61


def test_many_frames_pass_through_little_memory(tmp_path):
    """400 frames of 1 MiB, compressed to a few bytes each: the daemon holds a few of them at a time."""
    bridge = Bridge(tmp_path).start()
    try:
        frame = np.zeros((1024, 1024), np.uint8)
        ds = native(frame, 8, NumberOfFrames=400)
        ds.PixelData = encapsulate([imagecodecs.jpegls_encode(frame)] * 400)
        ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
        ds.file_meta.TransferSyntaxUID = UID(JPEG_LS)
        send(bridge, ds)
        status = Path(f"/proc/{bridge.process.pid}/status")
        peak = lambda: int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) >> 10
        before, length = peak(), 0
        with requests.get(url(bridge, ds), headers={"accept": "application/dicom"}, stream=True, timeout=300) as answer:
            assert answer.status_code == 200
            for chunk in answer.iter_content(1 << 20):
                length += len(chunk)
        assert length > 400 << 20
        print(f"peak grew from {before} to {peak()} MiB")
        assert peak() - before < 64
    finally:
        bridge.stop()


def test_hostile_frames_cost_one_answer_each_however_they_are_asked_for(bridge):
    good = send(bridge, multi(np.stack([slope(64)] * 2), 12))
    whole, counted = opened(retrieve(bridge, good, JPEG_2000)).PixelData, {}
    for at, (name, syntax, frame, attributes) in enumerate(hostile()):
        ds = native(noisy((61, 83), 8, False), 8, **attributes)
        ds.PixelData = encapsulate([frame])
        ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
        ds.file_meta.TransferSyntaxUID = UID(syntax)
        send(bridge, ds)
        target = [EXPLICIT, JPEG_2000, RLE][at % 3]
        if target == syntax:
            continue
        status = retrieve(bridge, ds, target).status_code
        counted[status] = counted.get(status, 0) + 1
        # Wrong bytes may still be a picture, of something else; nothing else may come of them.
        assert status in ((200, 406, 422) if "wrong bytes" in name else (406, 422)), (name, status)
        assert retrieve(bridge, ds, "*").status_code == 200, name
        assert bridge.process.poll() is None, name
        if at % 10 == 0:
            assert opened(retrieve(bridge, good, JPEG_2000)).PixelData == whole, name
    assert sum(counted.values()) > 140, counted


def test_counts_and_sizes_that_cannot_be_are_refused_before_a_byte(bridge):
    one = imagecodecs.jpegls_encode(noisy((61, 83), 8, False))
    for ds, targets in [
        (native(noisy((61, 83), 8, False), 8, NumberOfFrames=2_000_000_000), TARGETS[1:]),
        (native(noisy((61, 83), 8, False), 8, Rows=65535, Columns=65535), TARGETS[1:]),
        (native(noisy((61, 83), 8, False), 8, Rows=0), TARGETS[1:]),
        (broken([one], NumberOfFrames=2_000_000_000), TARGETS[:1] + TARGETS[2:]),
        (broken([one], Rows=65535, Columns=65535), TARGETS[:1] + TARGETS[2:]),
        (broken([one] * 200, Rows=6000, Columns=6000, NumberOfFrames=200), TARGETS[:1]),
    ]:
        send(bridge, ds)
        for target in targets:
            answer = retrieve(bridge, ds, target)
            assert answer.status_code in (406, 422), (target, answer.status_code)
            assert answer.headers["content-type"] == "application/problem+json"
    assert bridge.process.poll() is None


def test_who_waits_too_long_for_a_decoder_is_told_when_to_come_again(tmp_path):
    bridge = Bridge(tmp_path, '[limits]\ndecoders = 1\ndecode_wait = "0s"\n').start()
    try:
        ds = native(noisy((2000, 2000), 12, False), 12)
        send(bridge, ds)
        with ThreadPoolExecutor(16) as readers:
            answers = list(readers.map(lambda _: retrieve(bridge, ds, JPEG_2000), range(16)))
        assert {answer.status_code for answer in answers} == {200, 503}
        for answer in answers:
            if answer.status_code == 503:
                assert int(answer.headers["retry-after"]) > 0 and "busy" in answer.json()["detail"]
        assert retrieve(bridge, ds, JPEG_2000).status_code == 200
    finally:
        bridge.stop()


def encapsulated(values: np.ndarray, bits: int, frames: list[bytes], syntax: str, **attributes) -> pydicom.Dataset:
    ds = native(values, bits, **attributes)
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.PixelData = encapsulate(frames)
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    return ds


def test_what_is_longer_than_4_gib_uncompressed_is_refused_before_the_answer(shared):
    """PS3.5 §8.1.1: a native data set cannot say its length. As stored it can be had."""
    frame = imagecodecs.jpeg8_encode(np.zeros((1024, 1024, 3), np.uint8), level=50)
    ds = encapsulated(np.zeros((1024, 1024, 3), np.uint8), 8, [frame] * 1400, BASELINE, NumberOfFrames=1400,
                      PhotometricInterpretation="YBR_FULL_422")
    send(shared, ds)
    for syntax in (None, EXPLICIT):
        answer = retrieve(shared, ds, syntax)
        assert answer.status_code == 406 and "4 GiB" in answer.json()["detail"], answer.text
    assert requests.get(url(shared, ds, 1), headers={"accept": 'multipart/related; type="application/dicom"'},
                        timeout=60).status_code == 406
    assert len(retrieve(shared, ds, "*").content) > 1400 * len(frame)
    assert requests.get(url(shared, ds, rest="/frames/1400"), timeout=60).status_code == 200


def test_a_recompressed_jpeg_is_red_green_and_blue(shared):
    """JPEG XL undoes the YCbCr of the JPEG in it, whatever the data set still says."""
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:20, :30], picture[20:, 30:] = [200, 40, 30], [20, 90, 220]
    for sampling in ("444", "422"):
        jpeg = imagecodecs.jpeg8_encode(picture, level=98, subsampling=sampling)
        ds = encapsulated(picture, 8, [imagecodecs.jpegxl_encode_jpeg(jpeg)], "1.2.840.10008.1.2.4.111",
                          PhotometricInterpretation="YBR_FULL_422")
        send(shared, ds)
        got = opened(retrieve(shared, ds, EXPLICIT))
        assert (got.PhotometricInterpretation, got.LossyImageCompression) == ("RGB", "01")
        assert np.abs(got.pixel_array.astype(int) - imagecodecs.jpeg8_decode(jpeg).astype(int)).mean() < 2


@pytest.mark.parametrize("syntax", [RLE, JPEG_LS, JPEG_2000, LOSSLESS])
@pytest.mark.parametrize("high", [15, 13])
def test_samples_in_upper_bits_stay_there_through_what_loses_nothing(shared, syntax, high):
    """Where Bits Stored and High Bit put the value, it is kept, in a dark frame too."""
    values = (np.arange(40 * 60, dtype=np.uint16).reshape(40, 60) % 4096) << (high - 11)
    dark = values % (16 << (high - 11))
    ds = native(np.vstack([values, dark]), 12, HighBit=high, NumberOfFrames=2, Rows=40)
    send(shared, ds)
    compressed = opened(retrieve(shared, ds, syntax))
    send(shared, compressed := stored_again(compressed))
    back = opened(retrieve(shared, compressed, EXPLICIT))
    assert (back.BitsStored, back.HighBit, back.PixelData) == (12, high, ds.PixelData)
    for frame in (1, 2):
        pictures = [rendered(shared, one, frame) for one in (ds, compressed)]
        assert pictures[0] == pictures[1], frame
    for lossy in (NEAR, J2K_LOSSY):
        assert retrieve(shared, ds, lossy).status_code == 406


def rendered(bridge, ds: pydicom.Dataset, frame: int) -> bytes:
    answer = requests.get(url(bridge, ds, rest=f"/frames/{frame}/rendered"), headers={"accept": "image/png"}, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.content


@pytest.mark.parametrize("syntax", [JPEG_LS, JPEG_2000, LOSSLESS, EXPLICIT])
def test_a_sign_need_not_be_extended(shared, syntax):
    """Bits above High Bit may be zero; readers of a codestream take all of its bits for the value."""
    values = np.arange(-2000, 400, dtype=np.int16).reshape(40, 60)
    ds = native((values.view(np.uint16) & 0x0FFF).view(np.int16), 12)
    assert (ds.PixelRepresentation, ds.HighBit) == (1, 11)
    send(shared, ds)
    if syntax == EXPLICIT:
        send(shared, ds := stored_again(opened(retrieve(shared, ds, JPEG_LS))))
    assert np.array_equal(pixel_array(opened(retrieve(shared, ds, syntax))), values)


def test_what_stands_beside_a_value_stays_there_through_rle(shared):
    """RLE packs bytes."""
    signed = np.arange(-2000, 400, dtype=np.int16).reshape(40, 60)
    overlaid = (signed.view(np.uint16) & 0x0FFF) | (np.arange(2400, dtype=np.uint16).reshape(40, 60) % 2 << 15)
    ds = native(overlaid, 12, PixelRepresentation=1)
    send(shared, ds)
    send(shared, rle := stored_again(opened(retrieve(shared, ds, RLE))))
    assert opened(retrieve(shared, rle, EXPLICIT)).PixelData == ds.PixelData


def stored_again(ds: pydicom.Dataset) -> pydicom.Dataset:
    """The same as an instance of its own."""
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    return ds


@pytest.mark.parametrize("syntax, frame", [
    (NEAR, lambda v: imagecodecs.jpegls_encode(v, level=3)),
    (J2K_LOSSY, lambda v: imagecodecs.jpeg2k_encode(v, codecformat="j2k", level=40)),
    ("1.2.840.10008.1.2.4.112", lambda v: imagecodecs.jpegxl_encode(v, lossless=False, distance=1.0)),
    (BASELINE, lambda v: imagecodecs.jpeg8_encode(v, level=80)),
])
def test_that_something_was_lost_is_said_after_decoding(shared, syntax, frame):
    values = noisy((64, 64), 8, False)
    ds = encapsulated(values, 8, [frame(values)], syntax)
    # A compressor may have left it as it was.
    ds.LossyImageCompression = "00"
    send(shared, ds)
    assert opened(retrieve(shared, ds, EXPLICIT)).LossyImageCompression == "01"


def test_fewer_than_8_bits_are_not_written_as_jpeg_baseline(shared):
    ds = native(noisy((32, 32), 6, False), 6)
    send(shared, ds)
    answer = retrieve(shared, ds, BASELINE)
    assert answer.status_code == 406 and "fewer than 8 bits" in answer.json()["detail"]
