//! Unpublished: tests of the workspace.
