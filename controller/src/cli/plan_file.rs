//! The plan file on disk: written whole or not at all, read with its size bounded.

use super::failure::Failure;
use refit_shared::plan::{Plan, document};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

const MAX_BYTES: u64 = 2 << 20;

/// Writes the bytes that the controller gave. Refuses to replace a file, except when told to.
pub fn write(path: &Path, bytes: &[u8], force: bool) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::refused(format!(
            "cannot write the plan to {}: {error}",
            path.display()
        ))
    };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    file.write_all(bytes)
        .and_then(|()| file.as_file().sync_all())
        .map_err(failed)?;
    if force {
        file.persist(path).map_err(|error| failed(error.error))?;
        return Ok(());
    }
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Err(exists(path)),
        Err(error) => Err(failed(error.error)),
    }
}

/// Fails early, before the controller is asked for a plan that could not be written.
pub fn must_be_free(path: &Path, force: bool) -> Result<(), Failure> {
    if !force && path.symlink_metadata().is_ok() {
        Err(exists(path))
    } else {
        Ok(())
    }
}

fn exists(path: &Path) -> Failure {
    Failure::refused(format!("{} exists and is not overwritten", path.display()))
        .next("give another --out, or --force to replace it")
}

/// The bytes, and the plan in them with its digest verified.
pub fn read(path: &Path) -> Result<(Vec<u8>, Plan), Failure> {
    let name = path.display();
    let again = "refit plan CLUSTER --target VERSION";
    let file = std::fs::File::open(path)
        .map_err(|error| Failure::refused(format!("cannot read the plan {name}: {error}")))?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::refused(format!("cannot read the plan {name}: {error}")))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Failure::refused(format!("{name} is larger than any plan")).next(again));
    }
    let text = std::str::from_utf8(&bytes)
        .map_err(|error| Failure::refused(format!("{name} is not a plan: {error}")).next(again))?;
    let plan = document::read(text)
        .map_err(|error| Failure::refused(format!("{name}: {error}")).next(again))?;
    Ok((bytes, plan))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_file_is_not_overwritten_unless_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plan.json");
        must_be_free(&path, false).unwrap();
        write(&path, b"one", false).unwrap();
        assert!(must_be_free(&path, false).is_err());
        assert!(write(&path, b"two", false).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        must_be_free(&path, true).unwrap();
        write(&path, b"two", true).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(write(&dir.path().join("no/such"), b"", false).is_err());
        assert!(read(&path).unwrap_err().what.contains("not a plan file"));
    }
}
