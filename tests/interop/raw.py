"""Sends a data set's bytes exactly as they stand in a file: no library re-encodes them on the way."""
from __future__ import annotations

import struct
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import UID
from pynetdicom import AE
from pynetdicom.dimse_primitives import C_STORE
from io import BytesIO


def split_part10(path: Path) -> tuple[str, str, str, bytes] | None:
    """(SOP Class, SOP Instance, transfer syntax, data set bytes), or None where there is no file meta to go by."""
    data = path.read_bytes()
    if data[128:132] != b"DICM":
        return None
    at, syntax = 132, None
    while at + 8 <= len(data) and data[at:at + 2] == b"\x02\x00":
        element = struct.unpack_from("<H", data, at + 2)[0]
        vr = data[at + 4:at + 6]
        if vr in (b"OB", b"OW", b"UN", b"SQ", b"UT"):
            length, head = struct.unpack_from("<I", data, at + 8)[0], 12
        else:
            length, head = struct.unpack_from("<H", data, at + 6)[0], 8
        if element == 0x10:
            syntax = data[at + head:at + head + length].rstrip(b"\0 ").decode()
        at += head + length
    if syntax is None:
        return None
    try:
        ds = dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID", "SOPInstanceUID"], force=True)
        return str(ds.SOPClassUID), str(ds.SOPInstanceUID), syntax, data[at:]
    except Exception:
        return None


def store(bridge, instances, title="RAW") -> list[int | None]:
    """C-STOREs each (class, uid, syntax, bytes); the status, or None where the context was not accepted."""
    statuses = []
    for sop_class, uid, syntax, data in instances:
        ae = AE(ae_title=title)
        ae.maximum_pdu_size = 0
        ae.add_requested_context(UID(sop_class), [UID(syntax)])
        association = ae.associate("127.0.0.1", bridge.dicom, ae_title="BLUEBRIDGE")
        if not association.is_established:
            statuses.append(None)
            continue
        request = C_STORE()
        request.MessageID, request.Priority = 1, 2
        request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = sop_class, uid
        request.DataSet = BytesIO(data)
        association._reactor_checkpoint.clear()
        association.dimse.send_msg(request, association.accepted_contexts[0].context_id)
        _, response = association.dimse.get_msg(block=True)
        association._reactor_checkpoint.set()
        statuses.append(response.Status if response is not None else -1)
        association.release()
    return statuses
