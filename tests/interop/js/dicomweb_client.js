// The whole API of npm's dicomweb-client with its default settings. Reads what to ask for from the file that is its
// argument, prints what came of it as JSON: for each call the answer, or the error, and whether progress was told.
"use strict";
const crypto = require("crypto");
const fs = require("fs");
global.XMLHttpRequest = require("xhr2");
console.debug = () => {};
const { api } = require("dicomweb-client");

const asked = JSON.parse(fs.readFileSync(process.argv[2]));
const client = new api.DICOMwebClient({ url: asked.root, headers: asked.headers || {}, verbose: false });
const uids = {
  studyInstanceUID: asked.study,
  seriesInstanceUID: asked.series,
  sopInstanceUID: asked.instance,
};

/** What Python compares: digest and beginning of binary answers, everything else as it is. */
function shown(value) {
  if (value instanceof ArrayBuffer) {
    const bytes = Buffer.from(value);
    return {
      length: bytes.length,
      sha256: crypto.createHash("sha256").update(bytes).digest("hex"),
      head: bytes.subarray(0, 8).toString("hex"),
    };
  }
  return Array.isArray(value) ? value.map(shown) : value;
}

async function main() {
  const told = {};
  const call = async (name, ask) => {
    let progress = 0;
    const request = { progressCallback: () => { progress += 1; } };
    try {
      told[name] = { answer: shown(await ask(request)), progress };
    } catch (error) {
      told[name] = { error: String(error.message || error), status: error.status, progress };
    }
  };
  const files = asked.files.map((path) => {
    const bytes = fs.readFileSync(path);
    return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  });
  await call("storeInstances", (request) => client.storeInstances({ datasets: files, request }));
  await call("storeInstances of a study", (request) =>
    client.storeInstances({ datasets: files, studyInstanceUID: asked.study, request }));
  await call("searchForStudies", (request) =>
    client.searchForStudies({ queryParams: { StudyInstanceUID: asked.study }, request }));
  await call("searchForSeries", (request) => client.searchForSeries({ ...uids, request }));
  await call("searchForInstances", (request) => client.searchForInstances({ ...uids, request }));
  await call("retrieveStudyMetadata", (request) => client.retrieveStudyMetadata({ ...uids, request }));
  await call("retrieveSeriesMetadata", (request) => client.retrieveSeriesMetadata({ ...uids, request }));
  await call("retrieveInstanceMetadata", (request) => client.retrieveInstanceMetadata({ ...uids, request }));
  await call("retrieveInstance", (request) => client.retrieveInstance({ ...uids, request }));
  await call("retrieveSeries", (request) => client.retrieveSeries({ ...uids, request }));
  await call("retrieveStudy", (request) => client.retrieveStudy({ ...uids, request }));
  const frames = { ...uids, frameNumbers: [1] };
  await call("retrieveInstanceFrames", (request) => client.retrieveInstanceFrames({ ...frames, request }));
  await call("retrieveInstanceRendered", (request) => client.retrieveInstanceRendered({ ...uids, request }));
  await call("retrieveInstanceThumbnail", (request) => client.retrieveInstanceThumbnail({ ...uids, request }));
  await call("retrieveInstanceFramesRendered", (request) => client.retrieveInstanceFramesRendered({ ...frames, request }));
  await call("retrieveInstanceFramesThumbnail", (request) =>
    client.retrieveInstanceFramesThumbnail({ ...frames, request }));
  await call("retrieveInstanceRendered as PNG", (request) =>
    client.retrieveInstanceRendered({ ...uids, mediaTypes: [{ mediaType: "image/png" }], request }));
  await call("retrieveInstanceFramesRendered as JPEG", (request) =>
    client.retrieveInstanceFramesRendered({ ...frames, mediaTypes: [{ mediaType: "image/jpeg" }], request }));
  const [metadata] = (told.retrieveInstanceMetadata.answer || []).concat([{}]);
  const BulkDataURI = ((metadata || {})["7FE00010"] || {}).BulkDataURI;
  await call("retrieveBulkData", (request) => client.retrieveBulkData({ BulkDataURI, request }));
  for (const byteRange of [[0, 9], [0, 999], [100]]) {
    await call(`retrieveBulkData of ${byteRange}`, (request) => client.retrieveBulkData({ BulkDataURI, byteRange, request }));
  }
  told.wadoURI = client.buildInstanceWadoURIUrl(uids);
  process.stdout.write(JSON.stringify(told));
}

main();
