"""pynetdicom as a scanner: odd negotiations, odd data, and the statuses it is told."""
import pytest
from conftest import ct
from pydicom.uid import (CTImageStorage, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian,
                         ImplicitVRLittleEndian, JPEG2000Lossless, MRImageStorage)
from pynetdicom import AE, build_role
from pynetdicom.sop_class import PatientRootQueryRetrieveInformationModelFind, Verification


def associate(bridge, *contexts, title="BLUEBRIDGE", **kwargs):
    ae = AE(ae_title="PYNET")
    for uid, syntaxes in contexts:
        ae.add_requested_context(uid, syntaxes)
    association = ae.associate("127.0.0.1", bridge.dicom, ae_title=title, **kwargs)
    assert association.is_established
    return association


def test_echo_and_store_on_one_association(shared):
    a = associate(shared, (Verification, ImplicitVRLittleEndian), (CTImageStorage, ExplicitVRLittleEndian))
    assert a.send_c_echo().Status == 0
    ds = ct()
    assert a.send_c_store(ds).Status == 0
    assert a.send_c_store(ds).Status == 0, "the same instance again is success"
    a.release()


@pytest.mark.parametrize("max_pdu", [0, 4096, 16382, 131072, 1048576])
def test_any_maximum_pdu_of_the_peer_works(shared, max_pdu):
    a = associate(shared, (CTImageStorage, ExplicitVRLittleEndian), max_pdu=max_pdu)
    assert a.send_c_store(ct(size=512)).Status == 0
    a.release()


def test_native_is_preferred_and_deflated_is_not_taken_unasked(shared):
    a = associate(shared, (CTImageStorage, [JPEG2000Lossless, ExplicitVRBigEndian, ImplicitVRLittleEndian, ExplicitVRLittleEndian]))
    assert a.accepted_contexts[0].transfer_syntax == [ExplicitVRLittleEndian]
    a.release()
    ae = AE()
    ae.add_requested_context(CTImageStorage, DeflatedExplicitVRLittleEndian)
    ae.add_requested_context(Verification)
    a = ae.associate("127.0.0.1", shared.dicom, ae_title="BLUEBRIDGE")
    assert [c.abstract_syntax for c in a.accepted_contexts] == [Verification]
    a.release()


def test_what_is_not_storage_is_refused_and_harms_nothing(shared):
    ae = AE()
    ae.add_requested_context(PatientRootQueryRetrieveInformationModelFind)
    ae.add_requested_context("1.2.3.4.5.6.7.8.9")  # private: a listed peer, which loopback is by default
    ae.add_requested_context(MRImageStorage)
    a = ae.associate("127.0.0.1", shared.dicom, ae_title="BLUEBRIDGE", ext_neg=[build_role(MRImageStorage, scu_role=True, scp_role=True)])
    accepted = {c.abstract_syntax for c in a.accepted_contexts}
    assert accepted == {"1.2.3.4.5.6.7.8.9", MRImageStorage}
    a.release()


def test_128_presentation_contexts_are_answered(shared):
    ae = AE()
    for n in range(127):
        ae.add_requested_context(f"1.2.840.10008.5.1.4.1.1.2.{n}" if n else CTImageStorage, ExplicitVRLittleEndian)
    ae.add_requested_context(Verification)
    a = ae.associate("127.0.0.1", shared.dicom, ae_title="BLUEBRIDGE")
    assert a.is_established
    assert a.send_c_echo().Status == 0
    a.release()


def test_a_data_set_that_is_not_what_the_command_says_is_a900(shared):
    a = associate(shared, (CTImageStorage, ExplicitVRLittleEndian))
    ds = ct()
    ds.SOPInstanceUID = "1.2.3.4"  # file_meta and so the command keep the other one
    request = __import__("pynetdicom.dimse_primitives", fromlist=["C_STORE"]).C_STORE()
    from io import BytesIO

    from pynetdicom.dsutils import encode
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = CTImageStorage, "1.2.3.9"
    request.DataSet = BytesIO(encode(ds, False, True))
    a._reactor_checkpoint.clear()
    a.dimse.send_msg(request, a.accepted_contexts[0].context_id)
    _, response = a.dimse.get_msg(block=True)
    a._reactor_checkpoint.set()
    assert response.Status == 0xA900
    a.release()


def test_garbage_is_c000_and_kept_in_quarantine(shared):
    from io import BytesIO

    from pynetdicom.dimse_primitives import C_STORE
    a = associate(shared, (CTImageStorage, ExplicitVRLittleEndian))
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = CTImageStorage, "1.2.3.10"
    request.DataSet = BytesIO(b"\x08\x00\x16\x00UI\xff\xff" + b"not a data set")
    a._reactor_checkpoint.clear()
    a.dimse.send_msg(request, a.accepted_contexts[0].context_id)
    _, response = a.dimse.get_msg(block=True)
    a._reactor_checkpoint.set()
    assert response.Status == 0xC000
    assert response.ErrorComment
    a.release()
    kept = shared.cli_json("quarantine", "list")
    assert kept, "the bytes are kept with their reason"
