//! Ordered key index.
