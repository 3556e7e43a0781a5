//! The command line: parses, calls, prints; exit codes 0, 1 and 2.
