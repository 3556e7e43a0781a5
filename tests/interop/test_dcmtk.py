"""DCMTK's command line tools as scanners, and as readers of what comes back."""
import subprocess

import requests
from conftest import ct, save
from pydicom.uid import generate_uid


def run(*args, **kwargs):
    return subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=120, **kwargs)


def test_echoscu_gets_an_answer(shared):
    done = run("echoscu", "-aec", "BLUEBRIDGE", "127.0.0.1", shared.dicom)
    assert done.returncode == 0, done.stderr


def test_a_wrong_called_title_is_rejected_with_its_reason(shared):
    done = run("echoscu", "-v", "-aec", "SOMEONE", "127.0.0.1", shared.dicom)
    assert done.returncode != 0
    assert "Called AE Title Not Recognized" in done.stdout + done.stderr


def test_storescu_and_dcmsend_store_and_every_byte_comes_back(shared, tmp_path):
    study, series = generate_uid(), generate_uid()
    files = [save(ct(study, series, n), tmp_path / f"{n}.dcm") for n in range(1, 21)]
    done = run("storescu", "-v", "-aec", "BLUEBRIDGE", "127.0.0.1", shared.dicom, *files[:10])
    assert done.returncode == 0, done.stderr
    done = run("dcmsend", "-v", "-aec", "BLUEBRIDGE", "127.0.0.1", shared.dicom, *files[10:])
    assert done.returncode == 0, done.stderr
    found = requests.get(f"{shared.root}/studies", params={"StudyInstanceUID": study}).json()
    assert found[0]["00201208"]["Value"] == [20]
    instances = requests.get(f"{shared.root}/studies/{study}/instances").json()
    assert len(instances) == 20
    for n, instance in enumerate(sorted(instances, key=lambda i: i["00200013"]["Value"][0]), 1):
        url = instance["00081190"]["Value"][0]
        body = requests.get(url, headers={"Accept": 'application/dicom; transfer-syntax=*'}).content
        (tmp_path / "back.dcm").write_bytes(body)
        dumped = run("dcmdump", "-q", tmp_path / "back.dcm")
        assert dumped.returncode == 0, dumped.stderr
        sent = files[n - 1].read_bytes()
        # Behind preamble and file meta, which are ours, the data set is the same to the byte.
        assert sent.endswith(body[-(len(sent) - 132 - meta_length(sent)):])


def meta_length(part10: bytes) -> int:
    assert part10[128:132] == b"DICM"
    return 12 + int.from_bytes(part10[140:144], "little")


def test_a_hundred_files_from_a_stock_storescu_do_not_wait_for_delayed_acknowledgements(shared, tmp_path):
    study, series = generate_uid(), generate_uid()
    files = [save(ct(study, series, n), tmp_path / f"{n}.dcm") for n in range(1, 101)]
    done = run("storescu", "-aec", "BLUEBRIDGE", "127.0.0.1", shared.dicom, *files)
    assert done.returncode == 0, done.stderr
    # 40 ms each would be 4 s; the speed itself is measured by scripts/bench, not here.
    found = requests.get(f"{shared.root}/studies", params={"StudyInstanceUID": study}).json()
    assert found[0]["00201208"]["Value"] == [100]
