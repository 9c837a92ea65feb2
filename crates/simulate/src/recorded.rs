//! Readers for published recordings.
