//! Who we are in file meta information (PS3.10 §7.1) and in association requests (PS3.7 §D.3.3.2).
//! The version is not part of it: the file meta of an instance must not change with an upgrade, because
//! its digest covers it.

/// Implementation Class UID (0002,0012).
pub const IMPLEMENTATION_CLASS_UID: &str = "2.25.67356175002091881412939584497100859278";
/// Implementation Version Name (0002,0013), at most 16 characters.
pub const IMPLEMENTATION_VERSION_NAME: &str = "BLUEBRIDGE";
