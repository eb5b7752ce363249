//! Files with secrets that other users can read.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use aemp_codec::{Map, Value};

use super::{Key, Kind, save};
use crate::lock::Lock;

/// The files about which this process has warned.
static TOLD: Lock<BTreeSet<PathBuf>> = Lock::new(BTreeSet::new());

/// Returns the warning about a file with this document, if it is due and has not been given.
pub(super) fn first(path: &Path, document: &Map) -> Option<String> {
    if !document.iter().any(|(key, value)| is_secret(key, value)) {
        return None;
    }
    // A link has no permissions of its own, and the copy is beside its target.
    let target = save::follow(path).ok()?;
    let copy = save::with_suffix(&target, "~");
    let exposed: Vec<_> = [target, copy]
        .into_iter()
        .filter(|path| is_exposed(path))
        .collect();
    let first = exposed.first()?;
    let mut told = TOLD.lock();
    if !told.insert(first.clone()) {
        return None;
    }
    let files: Vec<_> = exposed.iter().map(|path| quoted(path)).collect();
    Some(format!(
        "{}: others can read the secrets in it: chmod 600 {}",
        first.display(),
        files.join(" ")
    ))
}

/// True if a key of the document, or of an object in it, has a value that only the owner should see.
fn is_secret(key: &str, value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Map(map) => map.iter().any(|(key, value)| is_secret(key, value)),
        Value::Array(items) => items.iter().any(|item| is_secret("", item)),
        _ if Key::named(key).is_some_and(|key| key.kind == Kind::Secret) => {
            value.as_str() != Some("")
        }
        value => value
            .as_str()
            .is_some_and(|text| text.contains("PRIVATE KEY-----")),
    }
}

#[cfg(unix)]
fn is_exposed(path: &Path) -> bool {
    use std::{fs, os::unix::fs::PermissionsExt};
    fs::metadata(path).is_ok_and(|there| there.permissions().mode() & 0o044 != 0)
}

#[cfg(not(unix))]
fn is_exposed(_path: &Path) -> bool {
    false
}

/// Quotes a path for a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "/._-+~@:,".contains(char);
    match text.chars().all(is_plain) && !text.starts_with(['~', '-']) {
        true => text,
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_where_they_must_be() {
        for (path, shown) in [
            ("/home/me/.perl-anyevent-mp", "/home/me/.perl-anyevent-mp"),
            ("/home/me/it's mine", r"'/home/me/it'\''s mine'"),
            ("-rf", "'-rf'"),
        ] {
            assert_eq!(quoted(Path::new(path)), shown);
        }
    }

    #[test]
    fn secrets_are_found_wherever_they_are() {
        let pem = "-----BEGIN PRIVATE KEY-----";
        let section: Map = [("cert", "x")].into_iter().collect();
        let profiles: Map = [("p", section)].into_iter().collect();
        for (key, value) in [
            ("secret", Value::from("x")),
            ("secret", 5.into()),
            ("ca", pem.into()),
            ("unknown", vec![Value::from(pem)].into()),
            ("profile", profiles.into()),
        ] {
            assert!(is_secret(key, &value), "{key}");
        }
        for (key, value) in [
            ("secret", Value::from("")),
            ("secret", Value::Null),
            ("nodeid", "secret".into()),
        ] {
            assert!(!is_secret(key, &value), "{key}");
        }
    }
}
