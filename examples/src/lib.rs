//! Unpublished: examples of the workspace.
