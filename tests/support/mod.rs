//! What several test files share; each uses a part of it.
#![allow(dead_code)]

pub mod answers;
pub mod postgres;
pub mod upstream;
