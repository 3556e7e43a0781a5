"""Frames of big endian instances are in little endian, as pydicom reads the same files."""
import numpy
import pytest
import raw
from dicomweb_client.api import DICOMwebClient
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import ExplicitVRBigEndian

# Bits allocated 1, 8 in OB, 8 in OW with frames of an odd length, 16, 32 in OW.
FILES = ["liver_expb_1frame.dcm", "ExplVR_BigEnd.dcm", "SC_rgb_small_odd_big_endian.dcm", "MR_small_expb.dcm", "rtdose_expb.dcm"]


@pytest.mark.parametrize("name", FILES)
def test_every_frame_is_what_pydicom_reads(shared, name):
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip("pydicom did not bring this file")
    ds = dcmread(path)
    assert ds.file_meta.TransferSyntaxUID == ExplicitVRBigEndian
    with open(path, "rb") as file:
        body = file.read()[dataset_offset(path):]
    assert raw.store(shared, [(ds.SOPClassUID, ds.SOPInstanceUID, ExplicitVRBigEndian, body)]) == [0]
    count = int(ds.get("NumberOfFrames", 1))
    got = DICOMwebClient(shared.root).retrieve_instance_frames(
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID, frame_numbers=list(range(1, count + 1))
    )
    pixels = ds.pixel_array
    if ds.get("PlanarConfiguration", 0) == 1:
        # One colour after the other, as stored.
        pixels = numpy.moveaxis(pixels, -1, -3)
    pixels = pixels.reshape(count, -1)
    for frame, expected in zip(got, pixels, strict=True):
        if ds.BitsAllocated == 1:
            found = numpy.unpackbits(numpy.frombuffer(frame, "u1"), bitorder="little")[: expected.size]
        else:
            found = numpy.frombuffer(frame, f"<u{ds.BitsAllocated // 8}")[: expected.size]
        assert numpy.array_equal(found, expected.astype(found.dtype)), name


def dataset_offset(path):
    from pydicom.filereader import _read_file_meta_info, read_preamble

    with open(path, "rb") as file:
        read_preamble(file, force=True)
        _read_file_meta_info(file)
        return file.tell()
