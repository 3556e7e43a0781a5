//! The DIMSE services answered: who may call, C-ECHO, C-STORE.
