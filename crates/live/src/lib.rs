//! Emotion models on a running camera and microphone.
