//! Unpublished: the tools of the guide's tests.
//!
//! [`program`] runs the programs of the guide and reads their output. [`shown`] compares output with the files that the
//! chapters show. [`console`] replays sessions of a terminal. [`book`]
//! reads the chapters themselves,
//! and [`picture`] draws their pictures.

pub mod book;
pub mod console;
pub mod picture;
pub mod program;
pub mod shown;
