"""Bytes from people who mean harm, or from devices that do it without meaning to. The daemon lives, stays
small, and serves others meanwhile."""
import os
import socket
import struct
import zlib

import pytest
import raw
from conftest import Bridge, ct
from pydicom.uid import CTImageStorage, generate_uid
from pynetdicom import AE
from pynetdicom.dsutils import encode

EXPLICIT, IMPLICIT, DEFLATED = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    peer = '[[dicom.peer]]\nname = "all"\nae_title = "*"\naddress = "127.0.0.0/8"\ndeflated = true\n'
    b = Bridge(tmp_path_factory.mktemp("hostile"), peer).start()
    yield b
    assert b.process.poll() is None, "the daemon died"
    assert b.stop() == 0


def rss_mib(b) -> float:
    with open(f"/proc/{b.process.pid}/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def alive(b) -> None:
    ds = ct()
    assert raw.store(b, [(ds.SOPClassUID, ds.SOPInstanceUID, EXPLICIT, encode(ds, False, True))]) == [0]


def uid_element(group, element, uid):
    value = uid.encode() + b"\0" * (len(uid) % 2)
    return struct.pack("<HH2sH", group, element, b"UI", len(value)) + value


def identified(uid) -> bytes:
    return (uid_element(8, 0x16, CTImageStorage) + uid_element(8, 0x18, uid) + uid_element(0x20, 0xD, generate_uid())
            + uid_element(0x20, 0xE, generate_uid()))


def deep(levels: int) -> bytes:
    start = struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    return start * levels


@pytest.mark.parametrize("levels", [65, 2_000, 100_000])
def test_nested_sequences_do_not_nest_our_stack(hostile, levels):
    uid = generate_uid()
    assert raw.store(hostile, [(CTImageStorage, uid, EXPLICIT, identified(uid) + deep(levels))]) == [0xC000]
    alive(hostile)


@pytest.mark.parametrize("vr", ["OB", "OW", "UN", "UT", "UC"])
def test_a_declared_length_is_not_believed(hostile, vr):
    uid = generate_uid()
    bomb = struct.pack("<HH2sHI", 0x0042, 0x0011, vr.encode(), 0, 0xFFFFFFF0) + b"x"
    before = rss_mib(hostile)
    assert raw.store(hostile, [(CTImageStorage, uid, EXPLICIT, identified(uid) + bomb)]) == [0xC000]
    assert rss_mib(hostile) < before + 32
    alive(hostile)


def test_a_deflate_bomb_stays_small(hostile):
    uid = generate_uid()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = identified(uid) + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 1 << 30)
    data = packer.compress(head) + b"".join(packer.compress(bytes(1 << 20)) for _ in range(1024)) + packer.flush()
    before = rss_mib(hostile)
    assert raw.store(hostile, [(CTImageStorage, uid, DEFLATED, data)]) == [0xC000]
    assert rss_mib(hostile) < before + 64
    alive(hostile)


def test_millions_of_empty_elements_are_counted(hostile):
    uid = generate_uid()
    element = struct.pack("<HH2sH", 0x0009, 0x1001, b"LO", 0)
    before = rss_mib(hostile)
    assert raw.store(hostile, [(CTImageStorage, uid, EXPLICIT, identified(uid) + element * 2_100_000)]) == [0xC000]
    assert rss_mib(hostile) < before + 64
    alive(hostile)


def test_a_pdu_of_half_a_gigabyte_is_aborted(hostile):
    ae = AE()
    ae.add_requested_context(CTImageStorage, EXPLICIT)
    association = ae.associate("127.0.0.1", hostile.dicom, ae_title="BLUEBRIDGE")
    s = association.dul.socket.socket
    before = rss_mib(hostile)
    s.sendall(struct.pack(">BBI", 4, 0, 512 << 20))
    try:
        for _ in range(64):
            s.sendall(bytes(1 << 20))
    except OSError:
        pass
    assert rss_mib(hostile) < before + 32
    association.abort()
    alive(hostile)


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"\x00" * 64, b"\xff" * 64])
def test_what_is_not_dicom_is_closed_at_once(hostile, first):
    with socket.create_connection(("127.0.0.1", hostile.dicom), timeout=5) as s:
        s.sendall(first)
        try:
            assert s.recv(64) == b""
        except ConnectionResetError:
            pass
    alive(hostile)


def test_half_open_connections_are_bounded_and_do_not_shut_others_out(hostile):
    waiting = [socket.create_connection(("127.0.0.1", hostile.dicom), timeout=5) for _ in range(200)]
    try:
        # The listener's cap is per address; a scanner at another address gets in.
        ae = AE()
        ae.add_requested_context("1.2.840.10008.1.1")
        association = ae.associate("127.0.0.1", hostile.dicom, ae_title="BLUEBRIDGE", bind_address=("127.0.0.9", 0))
        assert association.is_established
        assert association.send_c_echo().Status == 0
        association.release()
    finally:
        for s in waiting:
            s.close()
    alive(hostile)


@pytest.mark.parametrize("bad", ["../../etc/passwd", "/etc/passwd", "..", "1.2/3", "1.2\\..\\3"])
def test_a_path_is_not_a_uid(hostile, bad):
    uid = generate_uid()
    data = uid_element(8, 0x16, CTImageStorage) + uid_element(8, 0x18, uid) + uid_element(0x20, 0xD, bad)
    assert raw.store(hostile, [(CTImageStorage, uid, EXPLICIT, data)]) == [0xC000]
    names = [f for _, folders, files in os.walk(hostile.data) for f in folders + files]
    assert not any("passwd" in name for name in names)
    alive(hostile)


def test_garbage_of_every_length_is_answered(hostile):
    import random
    rng = random.Random(1)
    for n in range(40):
        uid = generate_uid()
        data = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 3000)))
        syntax = rng.choice([EXPLICIT, IMPLICIT, DEFLATED, "1.2.840.10008.1.2.2"])
        assert raw.store(hostile, [(CTImageStorage, uid, syntax, data)])[0] in (0xC000, 0xA900), n
    alive(hostile)
