//! The surfaces, one file each.
pub mod tasks;
