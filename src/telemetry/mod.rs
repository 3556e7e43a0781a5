//! Logs without patient data, and the list of all metrics.
