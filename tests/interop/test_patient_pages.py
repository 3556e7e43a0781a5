"""The patient's path in a real browser, on a phone's screen: link, form, page, blue button."""
import io
import os
import zipfile
from pathlib import Path

import pytest
import raw
import requests
from conftest import Bridge, ct
from pydicom.uid import generate_uid
from pynetdicom.dsutils import encode
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.ui import WebDriverWait

SHOTS = Path(os.environ.get("BLUEBRIDGE_SCREENSHOTS", "target/screenshots"))


@pytest.fixture(scope="module")
def phone():
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                     "--disable-background-networking", "--disable-component-update", "--disable-sync", "--lang=en"):
        options.add_argument(argument)
    options.binary_location = "/usr/bin/chromium"
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                           {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True})
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def link(shared):
    study, series = generate_uid(), generate_uid()
    for n in range(1, 4):
        ds = ct(study, series, n, size=128)
        assert raw.store(shared, [(ds.SOPClassUID, ds.SOPInstanceUID, ds.file_meta.TransferSyntaxUID, encode(ds, False, True))]) == [0]
    return shared.cli_json("link", "grant", "--study", study)


def shoot(phone, name):
    SHOTS.mkdir(parents=True, exist_ok=True)
    phone.save_screenshot(str(SHOTS / f"{name}.png"))


def fits(phone):
    """Nothing sticks out to the side."""
    return phone.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")


def fill(phone, code, day, month, year):
    for name, value in (("code", code), ("day", day), ("month", month), ("year", year)):
        field = phone.find_element(By.NAME, name)
        field.clear()
        field.send_keys(value)
    button = phone.find_element(By.CSS_SELECTOR, "form button[type=submit]:not([formnovalidate])")
    button.click()
    # The answer is another page, and what is typed before it is there is lost with the old one.
    WebDriverWait(phone, 20).until(expected_conditions.staleness_of(button))


def test_a_patient_reaches_their_images_and_downloads_them(phone, link):
    phone.get(link["url"])
    shoot(phone, "1-landing")
    assert fits(phone)
    assert "INTEROP" not in phone.page_source
    fill(phone, "0000-0000", "31", "January", "1970")
    shoot(phone, "2-typing-error")
    fill(phone, link["code"], "30", "1", "1970")
    shoot(phone, "3-wrong")
    # Lower case with a space is as good as what the slip says.
    fill(phone, link["code"].lower().replace("-", " "), "31", "January", "1970")
    WebDriverWait(phone, 10).until(lambda p: p.current_url.endswith("/my"))
    shoot(phone, "4-my")
    assert fits(phone)
    button = phone.find_element(By.CSS_SELECTOR, "a.blue")
    assert button.size["height"] >= 48
    links = phone.find_elements(By.CSS_SELECTOR, "main a, main button")
    assert links[0] == button, "first in reading and tab order"
    picture = phone.find_element(By.CSS_SELECTOR, "li img")
    WebDriverWait(phone, 10).until(lambda p: p.execute_script("return arguments[0].naturalWidth > 0", picture))
    shoot(phone, "5-my-with-picture")
    cookies = {c["name"]: c["value"] for c in phone.get_cookies()}
    answer = requests.get(button.get_attribute("href"), cookies=cookies)
    assert answer.status_code == 200
    with zipfile.ZipFile(io.BytesIO(answer.content)) as z:
        assert z.testzip() is None and len([n for n in z.namelist() if n.startswith("DICOM/")]) == 3
    # A wrong answer is 403, which the browser notes; anything else would be a blocked or missing resource.
    noted = [entry for entry in phone.get_log("browser") if "403" not in entry["message"]]
    assert noted == []


def test_it_speaks_german_and_reflows_at_320(phone, link):
    phone.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                          {"width": 320, "height": 640, "deviceScaleFactor": 2, "mobile": True})
    phone.get(phone.current_url.split("?")[0] + "?language=de")
    shoot(phone, "6-my-german-320")
    assert fits(phone)
    assert phone.find_element(By.TAG_NAME, "html").get_attribute("lang") == "de"
    phone.find_element(By.CSS_SELECTOR, "form.out button").click()
    phone.get(link["url"])
    shoot(phone, "7-landing-320")
    assert fits(phone)


def test_dark_mode_is_readable(phone, link):
    phone.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})
    phone.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                          {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True})
    phone.get(link["url"])
    shoot(phone, "8-landing-dark")
    background = phone.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert background != "rgb(255, 255, 255)"
