"""What is shown of compressed frames, against encoders and decoders that are not ours; and what hostile frames do."""
from __future__ import annotations

import io
import re

import imagecodecs
import numpy as np
import pytest
import raw
import requests
from conftest import ct
from PIL import Image
from pydicom.encaps import encapsulate
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
