//! Builds the rooms from `Config` in order, runs doors and workers, stops them in reverse.
