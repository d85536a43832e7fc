//! From one modality to a vector or a sequence: published encoders and tiny ones of our own.

pub mod audio_cnn;
pub mod clip;
pub mod sequences;
pub mod tiny;
