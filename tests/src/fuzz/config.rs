//! Configuration files, and changes of them.
//!
//! An input is a file and changes, each behind an octet 0: `OPERATION\tPROFILE\tKEY\tVALUE`.

use std::{
    borrow::Cow,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use aemp::{
    Value,
    config::{ConfigFile, Settings, Sources, effective},
};

pub(super) fn run(bytes: &[u8]) -> usize {
    let mut parts = bytes.split(|&byte| byte == 0);
    let file = Scratch::with(parts.next().unwrap_or_default());
    let Ok(mut config) = ConfigFile::load(&file.0).map_err(told) else {
        return 0;
    };
    resolve(&config);
    let changes = parts
        .take(20)
        .filter(|change| edit(&mut config, &String::from_utf8_lossy(change)).is_some())
        .count();
    let resolved = resolve(&config);
    saved(&mut config, &file.0, &resolved);
    1 + changes
}

/// A file of its own, which is gone afterwards.
struct Scratch(PathBuf);

impl Scratch {
    fn with(octets: &[u8]) -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let last = LAST.fetch_add(1, Ordering::Relaxed);
        let name = format!("aemp-fuzz-config-{}-{last}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, octets).expect("there is room for temporary files");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let mut backup = self.0.clone().into_os_string();
        backup.push("~");
        let _ = fs::remove_file(&self.0);
        let _ = fs::remove_file(backup);
    }
}

/// Errors say something, and not without end.
fn told(error: impl std::error::Error) {
    let text = error.to_string();
    assert!(!text.is_empty());
}

/// The settings of some profiles as one text.
fn resolve(config: &ConfigFile) -> String {
    let mut profiles = vec!["there is no such profile".to_owned()];
    if let Ok(names) = config.profiles().map_err(told) {
        profiles.extend(names.into_iter().take(5).map(Into::into));
    }
    let mut text = String::new();
    for profile in &profiles {
        let sources = Sources {
            file: Some(config),
            profile: Some(profile),
            arguments: Cow::Owned([("connect_interval", 3)].into_iter().collect()),
            ..Sources::default()
        };
        let settings = Settings::resolve(&sources);
        let shown = effective(&sources);
        assert_eq!(settings.is_ok(), shown.is_ok(), "{settings:?} {shown:?}");
        if let (Ok(settings), Ok(shown)) = (&settings, shown) {
            assert!(!settings.monitor_timeout.is_zero());
            text += &format!("{settings:?} {:?} {shown}\n", settings.services);
        }
        let _ = settings.map_err(told);
    }
    text
}

/// Makes a change; `None` if it cannot be made, in which case nothing has changed.
fn edit(config: &mut ConfigFile, change: &str) -> Option<()> {
    let mut fields = change.splitn(4, '\t');
    let mut field = || fields.next().unwrap_or_default();
    let (operation, profile, key, value) = (field(), field(), field(), field());
    let profile = (!profile.is_empty()).then_some(profile);
    let name = profile.unwrap_or_default();
    let value = value_of(value);
    let before = config.document().clone();
    let result = match operation {
        "set" => config.set(profile, key, value.clone()),
        "add" => config.add(profile, key, value.clone()),
        "remove" => config.remove(profile, key, value).map(drop),
        "delete" => config.delete(profile, key).map(drop),
        "create" => config.create_profile(name).map(drop),
        "forget" => config.delete_profile(name).map(drop),
        _ => return None,
    };
    if result.map_err(told).is_err() {
        assert_eq!(*config.document(), before, "a failed {operation}");
        return None;
    }
    match operation {
        "set" => assert!(matches!(config.value(profile, key), Ok(Some(_)))),
        "delete" => assert!(matches!(config.value(profile, key), Ok(None))),
        "forget" => assert!(matches!(config.profile(name), Ok(None))),
        _ => {}
    }
    Some(())
}

/// A list, a number or a text, which are the values that a command line can make.
fn value_of(text: &str) -> Value {
    match text.strip_prefix('[') {
        Some(list) => list.split('|').map(Value::from).collect(),
        None => text.parse::<i64>().map_or_else(|_| text.into(), Value::Int),
    }
}

/// A saved file is read again with the same content, by this project and by serde_json.
fn saved(config: &mut ConfigFile, path: &Path, resolved: &str) {
    let changed = config.is_changed();
    let written = match config.save() {
        Ok(written) => written,
        Err(error) => return told(error),
    };
    assert_eq!(written, changed);
    let again = ConfigFile::load(path).expect("the saved file can be read");
    assert_eq!(again.document(), config.document());
    assert_eq!(resolve(&again), resolved);
    if written {
        let octets = fs::read(path).expect("it was saved");
        let theirs = serde_json::from_slice::<serde_json::Value>(&octets);
        let recursion =
            |error: &serde_json::Error| error.to_string().contains("recursion limit exceeded");
        assert!(
            theirs.as_ref().err().is_none_or(recursion),
            "no JSON: {theirs:?}"
        );
    }
}
