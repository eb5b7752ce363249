//! The lock that makes one change of a configuration file wait for another.
//!
//! It is on a file of its own beside the configuration file, which gets another inode by every change. The lock's file
//! exists only while it is locked, or after its owner was killed; then it does no harm. The owner of the lock removes
//! the file, so a process that gets the lock checks that the file still has its name. `aemp` takes the lock at the
//! first change of a command line, after it has read standard input, and releases it by saving. A program that saves
//! without the lock takes it from comparison to rename.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::{ConfigError, save};

/// The longest time that a change waits for changes of other processes. Each of those takes some milliseconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// The time between two attempts. The system's own waiting for a lock has no time limit.
const AGAIN: Duration = Duration::from_millis(5);

/// The lock on a file, which makes other processes wait with their changes.
#[derive(Default)]
pub(super) enum Hold {
    /// The file is not locked.
    #[default]
    None,
    /// The file is locked until this is dropped.
    Locked(#[expect(dead_code, reason = "its drop is its use")] Lock),
    /// The lock cannot be taken. This is an error when saving, but not when only reading.
    Impossible(io::Error),
    /// The file is not a regular file, or the file system has no locks. [`ConfigError::Changed`] is the only
    /// protection.
    Unknown,
}

impl Hold {
    /// Waits until no other process is changing the file.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Locked`] if that takes longer than `patience`.
    pub(super) fn take(config: &Path, patience: Duration) -> Result<Self, ConfigError> {
        let locked = save::follow(config).and_then(|target| {
            if fs::metadata(&target).is_ok_and(|there| !there.is_file()) {
                // Devices, for instance, are never replaced.
                return Err(io::ErrorKind::Unsupported.into());
            }
            let path = save::with_suffix(&target, "~lock");
            Lock::take(path, patience)
        });
        match locked {
            Ok(lock) => Ok(Self::Locked(lock)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(ConfigError::Locked {
                path: config.into(),
                waited: patience,
            }),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(Self::Unknown),
            Err(error) => Ok(Self::Impossible(error)),
        }
    }
}

/// A clone does not hold the lock.
impl Clone for Hold {
    fn clone(&self) -> Self {
        Self::None
    }
}

/// A lock file that this process has locked. Dropping it unlocks and removes the file.
pub(super) struct Lock {
    path: PathBuf,
    file: Option<File>,
}

impl Lock {
    fn take(path: PathBuf, patience: Duration) -> io::Result<Self> {
        let end = Instant::now() + patience;
        loop {
            let file = open(&path)?;
            match file.try_lock() {
                // The last owner may have removed the file since it was opened. Then other processes lock a new one.
                Ok(()) if is_at(&file, &path)? => {
                    let file = Some(file);
                    return Ok(Self { path, file });
                }
                Ok(()) => {}
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if Instant::now() < end => thread::sleep(AGAIN),
                Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while it is locked, so that no other process has locked it. A failure leaves the file, which does no
        // harm.
        if cfg!(unix) {
            let _ = fs::remove_file(&self.path);
        }
        drop(self.file.take());
    }
}

/// Opens the lock file for the owner of the configuration alone. Otherwise other users could keep it locked.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// True if the open file still has this name.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let own = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (own.dev(), own.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn directory(name: &str) -> PathBuf {
        let name = format!("aemp-lock-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn a_long_wait_for_the_lock_is_an_error() {
        let directory = directory("told");
        let config = directory.join("rc");
        let held = Hold::take(&config, LONG).unwrap();
        let error = Hold::take(&config, Duration::from_millis(20)).err();
        let error = error.expect("it is locked").to_string();
        assert!(error.contains("another process"), "{error}");
        assert!(directory.join("rc~lock").exists());
        drop(held);
        assert!(!directory.join("rc~lock").exists());
        assert!(matches!(
            Hold::take(&config, Duration::ZERO),
            Ok(Hold::Locked(_))
        ));
        fs::remove_dir_all(directory).unwrap();
    }

    /// A process that was killed holds no lock.
    #[test]
    fn a_file_that_was_left_over_is_no_lock() {
        let directory = directory("left");
        fs::write(directory.join("rc~lock"), "").unwrap();
        let held = Hold::take(&directory.join("rc"), Duration::ZERO);
        assert!(matches!(held, Ok(Hold::Locked(_))));
        drop(held);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn without_a_directory_there_is_no_lock_and_no_waiting() {
        let config = Path::new("/nowhere/at/all/rc");
        let held = Hold::take(config, LONG).unwrap();
        assert!(matches!(held, Hold::Impossible(_)));
    }

    /// The file is removed and created all the time, but two processes never have the lock.
    #[test]
    fn one_at_a_time() {
        const EACH: usize = 200;
        let directory = directory("one");
        let path = directory.join("rc~lock");
        let (inside, barrier) = (AtomicUsize::new(0), Barrier::new(8));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    barrier.wait();
                    for _ in 0..EACH {
                        let lock = Lock::take(path.clone(), LONG).unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(lock);
                    }
                });
            }
        });
        fs::remove_dir_all(directory).unwrap();
    }
}
