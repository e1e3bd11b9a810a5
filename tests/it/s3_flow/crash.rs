//! Servers that die under load.
