//! Entries derived from a file: what was made of its content for some purpose, valid while the file is
//! unchanged. This file may not know where entries are stored; the files it reads are the caller's.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{Cache, Freshness, Key, Stored, Terms, hex};

/// Files up to this size are hashed whole; of larger ones size, modification time and three chunks.
const WHOLE: u64 = 1 << 20;
/// The size of a chunk.
const CHUNK: u64 = 64 << 10;

/// The first byte of what is hashed says what follows.
const WHOLE_CONTENT: u8 = 1;
const CHUNKS: u8 = 2;
const PATH_AND_TIME: u8 = 3;
const PATH: u8 = 4;

impl Cache {
    /// What is cached for this file and purpose, if the file is unchanged. What was made of an
    /// earlier content is removed from every tier.
    ///
    /// The key is the file's content hash and the purpose. Up to 1 MiB all of the content counts;
    /// beyond, the size, the modification time and the first, middle and last 64 KiB. Where the
    /// content cannot be read, path and modification time serve. Files of the same content share an
    /// entry, and it goes when any of them changes.
    ///
    /// Each call reads the file, up to 1 MiB of it, and asks the tiers which key it had the last time.
    /// It blocks as they do.
    ///
    /// ```
    /// use bedrock_catalog_cache::{Cache, MemoryLimits, Terms};
    ///
    /// let cache = Cache::builder().memory(MemoryLimits::default()).build()?;
    /// let file = "Cargo.toml".as_ref();
    /// assert!(cache.get_for_file(file, "lines").is_missing());
    /// cache.put_for_file(file, "lines", "170", &Terms::source("count"));
    /// assert!(cache.get_for_file(file, "lines").is_fresh());
    /// # Ok::<(), bedrock_catalog_cache::ConfigError>(())
    /// ```
    #[must_use]
    pub fn get_for_file(&self, file: &Path, purpose: &str) -> Freshness {
        let key = self.file_key(file, purpose);
        self.get(&key)
    }

    /// Stores what was made of the file for a purpose, under the key that the file has by now. To be
    /// safe against a file that changes while it is being read, take [`Cache::file_key`] first and
    /// [`Cache::put`] under it. Costs what [`Cache::get_for_file`] does, and the write.
    pub fn put_for_file(
        &self,
        file: &Path,
        purpose: &str,
        value: impl Into<Bytes>,
        terms: &Terms,
    ) -> Stored {
        let key = self.file_key(file, purpose);
        self.put(&key, value, terms)
    }

    /// The key for this file, as it is now, and purpose. If it is not the key the file had the last
    /// time, the entry of that earlier key is removed from every tier, and this one is noted in them.
    #[must_use]
    pub fn file_key(&self, file: &Path, purpose: &str) -> Key {
        let key = key_of(file, purpose);
        // The path's own entry says which key the file had; the path itself is not written.
        let at = Key::new(
            "file-at",
            purpose,
            &hex::lower(
                &Sha256::new()
                    .chain_update([PATH])
                    .chain_update(file.as_os_str().as_encoded_bytes())
                    .finalize(),
            ),
        );
        let before = self
            .look_again(&at, self.inner.lates.mark())
            .into_hit()
            .and_then(|hit| Key::parse(std::str::from_utf8(&hit.data).ok()?.trim_matches('"')));
        if before.as_ref() != Some(&key) {
            if let Some(before) = before {
                tracing::debug!(path = %file.display(), "the file has changed; what was cached for it is removed");
                self.remove(&before);
            }
            self.put(&at, format!("\"{key}\""), &Terms::source("file"));
        }
        key
    }
}

fn key_of(file: &Path, purpose: &str) -> Key {
    match content_hash(file) {
        Ok(hash) => Key::new("file", purpose, &hash),
        Err(error) => {
            tracing::debug!(path = %file.display(), %error, "the file's content cannot be hashed; path and time have to do");
            let mut hash = Sha256::new();
            hash.update([PATH_AND_TIME]);
            hash.update(file.as_os_str().as_encoded_bytes());
            if let Ok(modified) = file.metadata().and_then(|meta| meta.modified()) {
                hash.update(
                    modified
                        .duration_since(UNIX_EPOCH)
                        .unwrap_or_default()
                        .as_nanos()
                        .to_le_bytes(),
                );
            }
            Key::new("file", purpose, &hex::lower(&hash.finalize())).sub("unread")
        }
    }
}

/// At most 1 MiB is read, whatever the size.
fn content_hash(path: &Path) -> io::Result<String> {
    let (mut file, meta) = open_regular(path)?;
    let (size, modified) = (meta.len(), meta.modified()?);
    let mut hash = Sha256::new();
    // A small file is not to be written that has a large one's key.
    if size <= WHOLE {
        hash.update([WHOLE_CONTENT]);
        feed(&mut file, WHOLE + 1, &mut hash)?;
    } else {
        hash.update([CHUNKS]);
        hash.update(size.to_le_bytes());
        hash.update(
            modified
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_nanos()
                .to_le_bytes(),
        );
        for from in [0, size / 2, size - CHUNK] {
            file.seek(SeekFrom::Start(from))?;
            feed(&mut file, CHUNK, &mut hash)?;
        }
    }
    Ok(hex::lower(&hash.finalize()))
}

/// Opens a file to read it, if it is a regular one. Never waits for a pipe's other end, also where a pipe
/// takes a file's place meanwhile.
fn open_regular(path: &Path) -> io::Result<(File, Metadata)> {
    regular(fs::metadata(path)?)?;
    let mut options = File::options();
    options.read(true);
    #[cfg(all(unix, feature = "files"))]
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

fn regular(metadata: Metadata) -> io::Result<Metadata> {
    match metadata.is_file() {
        true => Ok(metadata),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no regular file",
        )),
    }
}

fn feed(file: &mut File, most: u64, hash: &mut Sha256) -> io::Result<()> {
    let mut content = Vec::new();
    file.take(most).read_to_end(&mut content)?;
    hash.update(&content);
    Ok(())
}
