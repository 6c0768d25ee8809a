//! Everything that decides.
