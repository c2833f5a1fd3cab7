//! Reading files that anyone may have put there.

use std::fs::{self, File, Metadata};
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// The bytes of a file of at most `limit` bytes.
///
/// Only a regular file is opened: a pipe or a device would never end, or never begin.
///
/// ```
/// use bedrock_catalog_recording::read_bounded;
///
/// assert!(read_bounded("Cargo.toml".as_ref(), 1 << 20)?.starts_with(b"[package]"));
/// assert!(read_bounded("Cargo.toml".as_ref(), 8).is_err());
/// assert!(read_bounded("src".as_ref(), 1 << 20).is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// Where it cannot be read, is no regular file, or is larger.
pub fn read_bounded(path: &Path, limit: usize) -> Result<Vec<u8>> {
    let (file, _) = open_regular(path)?;
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX);
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    match bytes.len() > limit {
        true => Err(Error::new(
            ErrorKind::FileTooLarge,
            format!("it is larger than {limit} bytes"),
        )),
        false => Ok(bytes),
    }
}

/// Opens a file to read it, if it is a regular one. Never waits for a pipe's other end, also where a pipe
/// takes a file's place meanwhile.
fn open_regular(path: &Path) -> Result<(File, Metadata)> {
    regular(fs::metadata(path)?)?;
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // The flags are small positive numbers on every platform.
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        options.custom_flags(flags.bits().cast_signed());
    }
    let file = options.open(path)?;
    // What was opened, should another have taken its place.
    let metadata = regular(file.metadata()?)?;
    Ok((file, metadata))
}

fn regular(metadata: Metadata) -> Result<Metadata> {
    match metadata.is_file() {
        true => Ok(metadata),
        false => Err(Error::new(ErrorKind::InvalidInput, "it is no regular file")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"12345").unwrap();
        assert_eq!(read_bounded(&path, 5).unwrap(), b"12345");
        let kind = |limit| read_bounded(&path, limit).unwrap_err().kind();
        assert_eq!(kind(4), ErrorKind::FileTooLarge);
        fs::remove_file(&path).unwrap();
        assert_eq!(kind(5), ErrorKind::NotFound);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for path in [&*pipe, folder.path(), "/dev/zero".as_ref()] {
            let error = read_bounded(path, 5).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{}", path.display());
        }
    }
}
