//! The test binary as its own decode worker: `bluebridge` itself is not built when unit tests run.

use super::Program;

const MARK: &str = "BLUEBRIDGE_TEST_DECODE_WORKER";

/// Starts this test binary with the one test below, which is then a worker behind its walls.
pub fn program() -> Program {
    let arguments = ["--exact", "imaging::worker::testing::is_a_worker_when_started_as_one", "--test-threads=1"];
    Program {
        path: std::env::current_exe().unwrap(),
        arguments: arguments.iter().map(Into::into).collect(),
        environment: vec![(MARK.into(), "1".into())],
    }
}

#[test]
fn is_a_worker_when_started_as_one() {
    if std::env::var_os(MARK).is_some() {
        super::run(1 << 30);
        std::process::exit(0);
    }
}
