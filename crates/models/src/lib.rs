//! Emotion models: samples in, predictions out.
