"""strace shows data file, directory and index synced before the C-STORE response leaves."""
import os
import re
import signal
from pathlib import Path

import raw
from conftest import Bridge, ct
from pynetdicom.dsutils import encode


def test_file_directory_and_index_are_synced_before_the_answer(tmp_path):
    trace = tmp_path / "trace"
    calls = "trace=openat,fsync,fdatasync,rename,renameat,renameat2,write,writev,sendto,sendmsg,pwrite64,close,sync_file_range"
    b = Bridge(tmp_path).start("strace", "-f", "-y", "-s", "16", "-e", calls, "-o", str(trace))
    try:
        before = trace.read_text(errors="replace").count("\n")
        ds = ct(size=256)
        assert raw.store(b, [(ds.SOPClassUID, ds.SOPInstanceUID, ds.file_meta.TransferSyntaxUID, encode(ds, False, True))]) == [0]
    finally:
        # SIGTERM is for the daemon; strace ends with it.
        children = Path(f"/proc/{b.process.pid}/task/{b.process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGTERM)
        b.process.wait(timeout=45)
    lines = trace.read_text(errors="replace").splitlines()[before:]

    def first(pattern: str, after: int = -1) -> int:
        found = [i for i, line in enumerate(lines) if i > after and re.search(pattern, line)]
        assert found, f"no {pattern!r} in the trace"
        return found[0]

    data = first(r"(fsync|fdatasync)\(\d+<[^>]*(incoming/|objects/\d+/)[^>]*>")
    renamed = first(r"rename")
    folder = first(r"(fsync|fdatasync)\(\d+<[^>]*/objects/\d+>", after=renamed)
    index = first(r"(fsync|fdatasync)\(\d+<[^>]*index\.sqlite-wal>", after=folder)
    # The response is a P-DATA-TF PDU: it begins with 0x04. Handshake PDUs begin with 0x02 and 0x06.
    answer = first(r'(write|writev|sendto|sendmsg)\(\d+<(TCP|socket)[^>]*>, .*"\\4\\0', after=data)
    assert data < renamed < folder < index < answer, (data, renamed, folder, index, answer)
