"""Somebody follows the archive over its change feed: told while they wait, in order, once each, across a restart; and
reads a whole study in one answer."""
from __future__ import annotations

import json
import threading
import time

import raw
import requests
from conftest import Bridge, ct
from pydicom.uid import generate_uid
from pynetdicom.dsutils import encode


def send(bridge, datasets):
    for ds in datasets:
        row = (ds.SOPClassUID, ds.SOPInstanceUID, ds.file_meta.TransferSyntaxUID, encode(ds, False, True))
        assert raw.store(bridge, [row]) == [0]


def ask(bridge, **query) -> dict:
    answer = requests.get(f"http://127.0.0.1:{bridge.web}/api/v1/changes", params=query, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_follower_hears_everything_once_and_goes_on_after_a_restart(bridge):
    study, series = generate_uid(), generate_uid()
    images = [ct(study, series, number) for number in range(1, 21)]
    heard, since = [], 0

    def follow(until: int):
        nonlocal since
        while len(heard) < until:
            answer = ask(bridge, since=since, limit=7, wait="20s")
            heard.extend(answer["changes"])
            since = answer["next"]

    follower = threading.Thread(target=follow, args=(20,))
    follower.start()
    send(bridge, images)
    follower.join(timeout=60)
    assert [change["instance"] for change in heard] == [ds.SOPInstanceUID for ds in images]
    assert {change["event"] for change in heard} == {"stored"}

    token = bridge.cli_json("token", "create", "cleaner", "--scope", "delete")["token"]
    headers = {"Authorization": f"Bearer {token}"}
    waiting = threading.Thread(target=follow, args=(21,))
    waiting.start()
    began = time.monotonic()
    gone = requests.delete(f"{bridge.root}/studies/{study}/series/{series}/instances/{images[0].SOPInstanceUID}",
                           headers=headers, timeout=10)
    assert gone.status_code == 204
    waiting.join(timeout=60)
    assert time.monotonic() - began < 10, "told when it is committed, not when the wait is over"
    assert (heard[-1]["event"], heard[-1]["level"], heard[-1]["instance"]) == ("deleted", "instance", images[0].SOPInstanceUID)

    assert bridge.stop() == 0
    bridge.start()
    assert ask(bridge, since=since)["changes"] == [], "the cursor survives"
    other = ct()
    send(bridge, [other])
    follow(22)
    assert heard[-1]["study"] == other.StudyInstanceUID
    numbers = [change["sequence"] for change in heard]
    assert numbers == sorted(set(numbers))
    # Who begins now hears of what is here, and of deletions.
    fresh = ask(bridge)["changes"]
    assert [change["event"] for change in fresh].count("stored") == 20
    beyond = requests.get(f"http://127.0.0.1:{bridge.web}/api/v1/changes?since={since + 1000}", timeout=10)
    assert beyond.status_code == 410 and "since=0" in beyond.json()["detail"]


def test_the_daemon_does_not_wait_for_those_who_wait(tmp_path):
    bridge = Bridge(tmp_path, "[limits]\nchange_waiters = 1\n").start()
    told = []
    url = f"http://127.0.0.1:{bridge.web}/api/v1/changes?wait=1ms"

    def wait() -> None:
        # The short request may hold the one place at first.
        while (answer := requests.get(url.replace("1ms", "25s"), timeout=60)).status_code == 503:
            pass
        told.append(answer.json())

    waiting = threading.Thread(target=wait)
    waiting.start()
    while requests.get(url, timeout=10).status_code != 503:
        assert waiting.is_alive()
    began = time.monotonic()
    assert bridge.stop() == 0
    waiting.join()
    assert time.monotonic() - began < 10
    assert told == [{"changes": [], "next": 0, "more": False}]


def test_a_whole_study_comes_in_one_answer(shared):
    study = generate_uid()
    images = [ct(study, series, number) for series in (generate_uid(), generate_uid()) for number in (1, 2, 3)]
    send(shared, images)
    answer = requests.get(f"{shared.root}/studies/{study}/bootstrap", timeout=10)
    assert answer.headers["content-encoding"] == "gzip" and answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [next(iter(line)) for line in lines] == ["study"] + ["series"] * 2 + ["instance"] * 6
    metadata = requests.get(f"{shared.root}/studies/{study}/metadata", timeout=10).json()
    assert [line["instance"] for line in lines[3:]] == metadata
    place = lines[3]["instance"]["7FE00010"]["BulkDataURI"]
    pixels = requests.get(place, headers={"Accept": "application/octet-stream"}, timeout=10).content
    assert pixels in [ds.PixelData for ds in images]
    again = requests.get(f"{shared.root}/studies/{study}/bootstrap", headers={"If-None-Match": answer.headers["etag"]}, timeout=10)
    assert again.status_code == 304
