//! Command line in, exit code out; nothing else.

fn main() -> std::process::ExitCode {
    bluebridge::cli::run()
}
