//! Reading untrusted files.

use std::fs::{self, File, Metadata};
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// Reads a regular file of at most `limit` bytes.
///
/// Pipes and devices are refused without waiting for them.
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
/// The file cannot be read, is not a regular file ([`ErrorKind::InvalidInput`]), or is larger
/// ([`ErrorKind::FileTooLarge`]).
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

/// Opens a regular file. Does not block on a pipe, even if one replaces the file after the first check.
fn open_regular(path: &Path) -> Result<(File, Metadata)> {
    regular(fs::metadata(path)?)?;
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    }
    let file = options.open(path)?;
    // Checks the opened file, which may be another one.
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
    fn pipes_folders_and_devices_are_refused_without_waiting() {
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
