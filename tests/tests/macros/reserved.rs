//! The names that handlers cannot have, because a handle has them.

use std::{collections::BTreeSet, fs, path::Path};

/// The methods of `Handle` that users see, as its source has them.
fn methods_of_handle(port: &Path) -> BTreeSet<String> {
    let parts = fs::read_dir(port.join("handle")).into_iter().flatten();
    let parts = parts.map(|part| part.unwrap().path());
    let mut methods = BTreeSet::new();
    for file in parts.chain([port.join("handle.rs")]) {
        let source = fs::read_to_string(file).unwrap();
        let blocks = source.split("\nimpl<M: Message> Handle<M> {").skip(1);
        for block in blocks.filter_map(|block| block.split("\n}").next()) {
            let signatures = block.lines().filter_map(|line| {
                let line = line.strip_prefix("    pub ")?;
                let line = line.strip_prefix("async ").unwrap_or(line);
                line.strip_prefix("fn ")
            });
            let is_letter = |c: char| c.is_alphanumeric() || c == '_';
            methods.extend(signatures.filter_map(|rest| {
                let name = rest.split(|c| !is_letter(c)).next()?;
                Some(name.to_owned())
            }));
        }
    }
    methods
}

/// The texts of a list of texts in a source.
fn list(source: &str, name: &str) -> BTreeSet<String> {
    let (_, rest) = source
        .split_once(&format!("const {name}: &[&str] = &["))
        .unwrap();
    let (texts, _) = rest.split_once("];").unwrap();
    texts
        .split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_method_of_a_handle_is_reserved() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let table = fs::read_to_string(workspace.join("aemp-macros/src/reserved.rs")).unwrap();
    let reserved = list(&table, "METHODS");
    let methods = methods_of_handle(&workspace.join("aemp/src/port"));
    assert!(methods.len() > 10, "{methods:?}");
    let missing: Vec<_> = methods.difference(&reserved).collect();
    assert!(missing.is_empty(), "a handler could hide {missing:?}");
}
