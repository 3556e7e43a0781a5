//! The DICOM upper layer and message exchange (PS3.8, PS3.7): associations, presentation contexts, commands, the SCU.
