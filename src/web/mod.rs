//! HTTP in, HTTP out: DICOMweb, the API, operations, the patient's pages.
