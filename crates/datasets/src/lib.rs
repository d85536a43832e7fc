//! Annotations in, manifests out.
