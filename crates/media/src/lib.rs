//! Media files and devices in, samples out.
