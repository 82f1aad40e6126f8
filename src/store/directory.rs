//! The data directory: for its owner's eyes only, and one server's at a time.

use super::StoreError;
use std::{
    fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError, set_permissions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// The directory, ours as long as this lives.
pub struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Makes it where it is missing, and takes it.
    pub fn take(path: &Path) -> Result<Directory, StoreError> {
        let failed = |what: &str, error: io::Error| {
            let at = path.display();
            StoreError(format!("server.data: cannot {what} '{at}': {error}"))
        };
        let mut made = DirBuilder::new();
        made.recursive(true).mode(0o700);
        made.create(path).map_err(|e| failed("make", e))?;
        let mode = path
            .metadata()
            .map_err(|e| failed("read", e))?
            .permissions();
        if mode.mode() & 0o1000 != 0 {
            let at = path.display();
            return Err(StoreError(format!(
                "server.data: '{at}' is shared with others; name a directory of its own"
            )));
        }
        if mode.mode() & 0o077 != 0 {
            set_permissions(path, Permissions::from_mode(0o700))
                .map_err(|e| failed("close to others", e))?;
        }
        let lock = private(&path.join("lock"), |_| {}).map_err(|e| failed("write to", e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let at = path.display();
                return Err(StoreError(format!(
                    "server.data: '{at}' is in use by another sundynix; stop that one, or name \
                     another directory with --data"
                )));
            }
            Err(TryLockError::Error(error)) => return Err(failed("lock", error)),
        }
        Ok(Directory {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Opens a file for reading and writing that nobody else may read, made where it is missing.
pub fn private(path: &Path, more: impl FnOnce(&mut OpenOptions)) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).mode(0o600);
    more(&mut options);
    let file = options.open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

/// Makes sure that a file for SQLite is there and private, without opening one that is there:
/// closing any handle of it would drop the locks that SQLite holds for this process, and another
/// process would then take the file for nobody's.
pub fn prepare(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    match options.write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            set_permissions(path, Permissions::from_mode(0o600))
        }
        made => made.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().expect("there").permissions().mode() & 0o777
    }

    #[test]
    fn it_is_private_and_one_owners() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("a/b");
        let ours = Directory::take(&path).expect("free");
        assert_eq!((mode(&path), mode(&ours.file("lock"))), (0o700, 0o600));
        let taken = Directory::take(&path).err().expect("taken");
        assert!(taken.0.contains("in use") && taken.0.contains("--data"));
        drop(ours);
        Directory::take(&path).expect("free again");
    }

    #[test]
    fn a_shared_directory_is_refused() {
        let refused = Directory::take(Path::new("/tmp")).err().expect("refused");
        assert!(refused.0.starts_with("server.data"));
    }
}
