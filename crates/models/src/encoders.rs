//! From one modality to a vector or a sequence: published encoders and tiny ones of our own.

pub mod audio_cnn;
pub mod clip;
pub mod conformer;
pub mod efficientnet;
pub mod feature_sequences;
pub mod sequences;
pub mod tiny;
pub mod vit;
pub mod wav2vec2;
