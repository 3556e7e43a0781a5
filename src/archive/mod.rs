//! The only way in to, and out of, what is stored: receive, search, retrieve, reconcile.
