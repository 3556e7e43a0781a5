//! Who did what to which study: an append-only, hash-chained trail (PS3.15 §A.5 in its words).
