//! Uploads over the real router and a real archive.
