//! Replacing a file in one step.

use std::{
    ffi::OsString,
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The largest number of symbolic links that may lead to a file.
const MAX_LINKS: usize = 40;

/// The present content of the file; `None` if it does not exist.
pub(super) fn current(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(octets) => Ok(Some(octets)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces the file at `path` by one with these octets. The old file is kept beside it, with `~` behind its name.
pub(super) fn replace(path: &Path, octets: &[u8]) -> io::Result<()> {
    let target = follow(path)?;
    let old = match fs::metadata(&target) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if old.as_ref().is_some_and(|old| !old.is_file()) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a regular file",
        ));
    }
    let (temporary, file) = create_beside(&target)?;
    let written = fill(file, octets, old.as_ref()).and_then(|()| {
        if old.is_some() {
            keep(&target);
        }
        fs::rename(&temporary, &target)
    });
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
        return written;
    }
    // The name is stored only when the directory is. Some systems cannot do that.
    if let Some(directory) = target.parent()
        && let Ok(directory) = File::open(directory)
    {
        let _ = directory.sync_all();
    }
    Ok(())
}

/// The file that symbolic links lead to, which need not exist.
pub(super) fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut target = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        let Ok(link) = fs::read_link(&target) else {
            return Ok(target);
        };
        target = match target.parent() {
            Some(directory) => directory.join(link),
            None => link,
        };
    }
    Err(io::Error::other("too many symbolic links"))
}

/// Creates a file in the same directory, readable by its owner only.
fn create_beside(target: &Path) -> io::Result<(PathBuf, File)> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut attempt = 0;
    loop {
        let name = format!("~new~{}-{attempt}", std::process::id());
        let path = with_suffix(target, &name);
        match options.open(&path) {
            Ok(file) => return Ok((path, file)),
            // Left over from a process that was killed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 100 => {
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn fill(mut file: File, octets: &[u8], old: Option<&Metadata>) -> io::Result<()> {
    file.write_all(octets)?;
    if let Some(old) = old {
        own(&file, old);
        file.set_permissions(old.permissions())?;
    }
    file.sync_all()
}

/// Keeps the file's owner when another user, such as root, changes it.
#[cfg(unix)]
fn own(file: &File, old: &Metadata) {
    use std::os::unix::fs::{MetadataExt, fchown};
    let _ = fchown(file, Some(old.uid()), Some(old.gid()));
}

#[cfg(not(unix))]
fn own(_file: &File, _old: &Metadata) {}

/// Keeps the old content under another name. This is a convenience, and its errors are ignored.
fn keep(target: &Path) {
    let backup = with_suffix(target, "~");
    let _ = fs::remove_file(&backup);
    let _ = fs::hard_link(target, &backup);
}
