//! Unpublished: benches of the workspace.
