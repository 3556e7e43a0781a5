//! Every metric, declared in one place. Names and labels hold no patient data; label values come from
//! closed lists or from the configuration, never from a caller.

use ::metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// Installs the recorder (once a process; tests start several daemons in one) and returns the handle
/// that `GET /metrics` renders.
pub fn install() -> PrometheusHandle {
    HANDLE
        .get_or_init(|| {
            let recorder = PrometheusBuilder::new().build_recorder();
            let handle = recorder.handle();
            if ::metrics::set_global_recorder(recorder).is_ok() {
                describe();
            }
            handle
        })
        .clone()
}

fn describe() {
    describe_gauge!("bluebridge_associations_active", "DICOM associations open now");
    describe_counter!("bluebridge_associations_total", "DICOM associations by how they ended");
    describe_counter!("bluebridge_associations_rejected_total", "DICOM associations rejected, by reason");
    describe_counter!(
        "bluebridge_connections_dropped_total",
        "DICOM connections closed before an association, by reason"
    );
    describe_counter!("bluebridge_pdu_oversize_total", "P-DATA-TF PDUs longer than announced");
    describe_counter!("bluebridge_dataset_bytes_total", Unit::Bytes, "Bytes of data sets that came by C-STORE");
    describe_counter!("bluebridge_store_responses_total", "C-STORE responses by status");
    describe_counter!("bluebridge_instances_received_total", "New instances committed");
    describe_counter!("bluebridge_received_bytes_total", Unit::Bytes, "Bytes of new instances committed");
    describe_counter!("bluebridge_events_total", "Audit events by kind");
    describe_gauge!("bluebridge_uploads_active", "Uploads (STOW-RS) running now");
    describe_counter!("bluebridge_upload_bytes_total", Unit::Bytes, "Bytes of data sets that came by STOW-RS");
    describe_counter!("bluebridge_upload_parts_total", "Parts of uploads by Failure Reason, 0x0000 for stored ones");
    describe_histogram!("bluebridge_commit_seconds", Unit::Seconds, "Time in which one batch becomes durable");
    describe_counter!("bluebridge_http_requests_total", "HTTP requests by listener, route and status");
    describe_counter!("bluebridge_http_connections_refused_total", "HTTP connections closed over the cap");
    describe_counter!("bluebridge_tls_handshakes_total", "TLS handshakes by section and outcome");
    describe_counter!("bluebridge_tls_reloads_total", "Certificates read again, by section and outcome");
    describe_gauge!(
        "bluebridge_tls_certificate_expires_seconds",
        Unit::Seconds,
        "When the certificate in service expires, in seconds since 1970"
    );
    describe_counter!("bluebridge_oidc_tokens_total", "Access tokens of the issuer, by what became of them");
    describe_counter!("bluebridge_oidc_key_reads_total", "Readings of the issuer's keys, by outcome");
    describe_gauge!("bluebridge_free_bytes", Unit::Bytes, "Free space on the file system of data_dir");
    describe_counter!("bluebridge_decoders_lost_total", "Decode workers that ended over a frame");
    describe_counter!("bluebridge_panics_total", "Tasks that ended in a panic");
}
