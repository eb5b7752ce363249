//! Writing the file: all or nothing, and no entry is lost.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
};

use aemp::config::{ConfigFile, Environment};

use crate::common::Home;

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn it_looks_as_the_reference_writes_it() {
    let home = Home::with(r#"{ "b" : [], "a": {"x": {}, "y": [1, "zwei\n"]}, }"#);
    let mut file = home.load().unwrap();
    file.set(None, "monitor_timeout", "5").unwrap();
    assert!(file.save().unwrap());
    let expected = r#"{
   "b" : [],
   "a" : {
      "x" : {},
      "y" : [
         1,
         "zwei\n"
      ]
   },
   "monitor_timeout" : 5
}
"#;
    assert_eq!(home.text(), expected);
}

#[test]
fn nothing_is_written_when_nothing_has_changed() {
    let home = Home::new();
    let mut file = home.load().unwrap();
    assert!(!file.save().unwrap());
    assert_eq!(home.names(), [""; 0]);
    let home = Home::with("{} # kept");
    let mut file = home.load().unwrap();
    file.set(None, "nodeid", "x").unwrap();
    file.delete(None, "nodeid").unwrap();
    assert!(!file.save().unwrap());
    assert_eq!(home.text(), "{} # kept");
}

#[test]
fn a_new_file_is_for_its_owner_alone() {
    let home = Home::new();
    let mut file = home.load().unwrap();
    file.set(None, "secret", "hush").unwrap();
    assert!(file.save().unwrap());
    assert_eq!(mode(&home.path()), 0o600);
    assert_eq!(home.names(), ["rc"]);
}

#[test]
fn an_old_file_keeps_its_permissions_and_a_copy() {
    let home = Home::with("{\"a\":1} # a comment");
    for wanted in [0o640, 0o600, 0o664] {
        fs::set_permissions(home.path(), fs::Permissions::from_mode(wanted)).unwrap();
        let mut file = home.load().unwrap();
        let before = home.text();
        file.set(None, "nodeid", format!("a{wanted}")).unwrap();
        assert!(file.save().unwrap());
        assert_eq!(mode(&home.path()), wanted);
        let copy = home.directory.path().join("rc~");
        assert_eq!(fs::read_to_string(copy).unwrap(), before);
        assert_eq!(home.names(), ["rc", "rc~"]);
    }
}

#[test]
fn a_symbolic_link_is_followed() {
    let home = Home::new();
    let real = home.directory.path().join("real");
    fs::create_dir(home.directory.path().join("etc")).unwrap();
    for target in ["real", "etc/real"] {
        let _ = fs::remove_file(home.path());
        symlink(target, home.path()).unwrap();
        let mut file = home.load().unwrap();
        file.set(None, "nodeid", "x").unwrap();
        assert!(file.save().unwrap());
        assert!(home.path().is_symlink());
        let target = home.directory.path().join(target);
        assert!(target.is_file());
        assert!(fs::read_to_string(target).unwrap().contains("nodeid"));
    }
    assert!(real.is_file());
    fs::remove_file(home.path()).unwrap();
    symlink("rc", home.path()).unwrap();
    let error = home.error(home.load());
    assert!(error.starts_with("rc: cannot be read: "), "{error}");
}

#[test]
fn a_write_that_fails_leaves_the_old_file() {
    let home = Home::with("{\"a\":1}");
    let inode = fs::metadata(home.path()).unwrap().ino();
    let mut file = home.load().unwrap();
    file.set(None, "nodeid", "x").unwrap();
    // Every name for the new file is taken, so that writing fails under root as well.
    for attempt in 0..=100 {
        let name = format!("rc~new~{}-{attempt}", std::process::id());
        fs::write(home.directory.path().join(name), "taken").unwrap();
    }
    let error = home.error(file.save());
    assert!(error.starts_with("rc: cannot be written: "), "{error}");
    assert_eq!(home.text(), "{\"a\":1}");
    assert_eq!(fs::metadata(home.path()).unwrap().ino(), inode);
    assert!(file.is_changed());
    // One is enough: left over by a process that was killed, they do no harm.
    fs::remove_file(
        home.directory
            .path()
            .join(format!("rc~new~{}-57", std::process::id())),
    )
    .unwrap();
    assert!(file.save().unwrap());
    assert!(home.text().contains("\"nodeid\" : \"x\""));
}

#[test]
fn numbers_outside_of_json_are_not_written() {
    let home = Home::with("{\"a\":1}");
    let mut file = home.load().unwrap();
    let service = vec![aemp::Value::from("My::service"), f64::NAN.into()];
    file.add(None, "services", service).unwrap();
    assert_eq!(
        home.error(file.save()),
        "rc: cannot be written: NaN is not a number in JSON"
    );
    assert_eq!((home.text().as_str(), home.names().len()), ("{\"a\":1}", 1));
    let mut deep = aemp::Value::Null;
    for _ in 0..600 {
        deep = vec![deep].into();
    }
    let mut file = home.load().unwrap();
    file.add(None, "services", vec!["My::service".into(), deep])
        .unwrap();
    assert_eq!(
        home.error(file.save()),
        "rc: cannot be written: nested deeper than 512 levels"
    );
}

#[test]
fn concurrent_changes_of_others_are_not_lost() {
    let home = Home::with("{\"a\":1}");
    for other in ["{\"a\":2}", "{ broken", ""] {
        home.write("{\"a\":1}");
        let mut file = home.load().unwrap();
        file.set(None, "nodeid", "x").unwrap();
        home.write(other);
        assert_eq!(
            home.error(file.save()),
            "rc: another process has changed it meanwhile"
        );
        assert_eq!(home.text(), other);
    }
    let new = Home::new();
    let mut file = new.load().unwrap();
    file.set(None, "nodeid", "x").unwrap();
    new.write("{}");
    assert_eq!(
        new.error(file.save()),
        "rc: another process has changed it meanwhile"
    );
}

#[test]
fn a_file_can_be_saved_again() {
    let home = Home::new();
    let mut file = home.load().unwrap();
    for id in ["a", "b", "c"] {
        file.set(Some("p"), "nodeid", id).unwrap();
        assert!(file.save().unwrap());
        assert!(!file.is_changed());
    }
    let copy = home.directory.path().join("rc~");
    assert!(fs::read_to_string(copy).unwrap().contains("\"b\""));
}

#[test]
fn a_device_is_not_replaced() {
    let mut file = ConfigFile::load("/dev/null").unwrap();
    file.set(None, "nodeid", "x").unwrap();
    assert_eq!(
        file.save().unwrap_err().to_string(),
        "/dev/null: cannot be written: it is not a regular file"
    );
}

#[test]
fn a_directory_that_is_not_there_is_an_error() {
    let home = Home::new();
    let path = home.directory.path().join("none/rc");
    let mut file = ConfigFile::load(&path).unwrap();
    file.set(None, "nodeid", "x").unwrap();
    let error = file.save().unwrap_err().to_string();
    let start = format!("{}: cannot be written: ", path.display());
    assert!(error.starts_with(&start), "{error}");
}

#[test]
fn the_path_is_the_reference_s() {
    let path = |variables: &[(&str, &str)]| {
        let path = ConfigFile::default_path(&Environment::of(variables.iter().copied()));
        path.map_or_else(|error| error.to_string(), |path| path.display().to_string())
    };
    assert_eq!(path(&[("HOME", "/h")]), "/h/.perl-anyevent-mp");
    assert_eq!(
        path(&[("HOME", "/h"), ("PERL_ANYEVENT_MP_RC", "/x/rc")]),
        "/x/rc"
    );
    assert_eq!(
        path(&[("HOME", "/h"), ("PERL_ANYEVENT_MP_RC", "")]),
        "/h/.perl-anyevent-mp"
    );
    assert_eq!(path(&[("APPDATA", "/a")]), "/a/perl-anyevent-mp");
    assert_eq!(
        path(&[]),
        "no configuration file: neither PERL_ANYEVENT_MP_RC nor HOME is set"
    );
}

#[test]
fn nothing_secret_is_shown() {
    let home = Home::with(r#"{"secret": "hush", "cert": "hush"}"#);
    let file = home.load().unwrap();
    let settings = crate::common::settings(&home, "x", &aemp::Map::new()).unwrap();
    let shown = format!("{file:?} {settings:?} {:?}", settings.cert);
    assert!(!shown.contains("hush"), "{shown}");
}

#[test]
fn a_locked_file_is_changed_in_turn() {
    let home = Home::new();
    std::thread::scope(|scope| {
        for n in 0..20 {
            let path = home.path();
            scope.spawn(move || {
                let mut file = ConfigFile::lock(path).unwrap();
                assert!(file.is_locked());
                file.set(Some(&format!("p{n}")), "nodeid", "x").unwrap();
                assert!(file.save().unwrap());
                assert!(!file.is_locked());
            });
        }
    });
    let file = home.load().unwrap();
    assert_eq!(file.profiles().unwrap().len(), 20);
    // The old file is there as well, and nothing else.
    assert_eq!(home.names(), ["rc", "rc~"]);
}

/// Each of them has read the same file: one changes it, and the others are told.
#[test]
fn without_a_lock_one_of_many_changes_is_saved() {
    let home = Home::with("{}");
    let files: Vec<_> = (0..20).map(|_| home.load().unwrap()).collect();
    let saved = std::thread::scope(|scope| {
        let threads = files.into_iter().enumerate().map(|(n, mut file)| {
            file.set(None, "nodeid", format!("n{n}")).unwrap();
            scope.spawn(move || file.save())
        });
        let threads: Vec<_> = threads.collect();
        let saved = threads.into_iter().map(|thread| thread.join().unwrap());
        saved.filter(|saved| saved.is_ok()).count()
    });
    assert_eq!(saved, 1);
}

#[test]
fn copies_are_not_locked() {
    let home = Home::new();
    let locked = ConfigFile::lock(home.path()).unwrap();
    let copy = locked.clone();
    assert!(locked.is_locked() && !copy.is_locked());
    drop(locked);
    ConfigFile::lock(home.path()).unwrap();
    assert_eq!(home.names(), [""; 0]);
}

/// Two names of one file are one lock.
#[test]
fn the_lock_is_beside_the_file_itself() {
    let home = Home::new();
    fs::create_dir(home.directory.path().join("etc")).unwrap();
    symlink("etc/real", home.path()).unwrap();
    let locked = ConfigFile::lock(home.path()).unwrap();
    let beside = home.directory.path().join("etc/real~lock");
    assert_eq!(mode(&beside), 0o600);
    drop(locked);
    assert!(!beside.exists());
}
