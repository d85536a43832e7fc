//! Limbic, the app.
