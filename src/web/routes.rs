//! Every route of every listener, with the status each kind of caller is answered. The tests of this
//! file walk the table; a route that is not in it fails them.
