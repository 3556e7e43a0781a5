//! Frames to pictures: display transformation and encoding of native pixel data.
