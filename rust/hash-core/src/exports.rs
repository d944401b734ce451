//! Exports of hashing.
