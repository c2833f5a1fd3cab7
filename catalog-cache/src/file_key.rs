//! Entries made from a file: the result of some processing, valid while the file is unchanged.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hmac_sha256::Hash;

use crate::tier_slot::Call;
use crate::{Cache, EntryOptions, Freshness, Key, WriteOutcome, hex};

/// Files up to this size are hashed whole; of larger ones the size, the time of modification and three chunks.
const WHOLE: u64 = 1 << 20;
/// The size of a chunk.
const CHUNK: u64 = 64 << 10;

/// The first byte of the hashed data says what follows.
const WHOLE_CONTENT: u8 = 1;
const CHUNKS: u8 = 2;
const PATH_AND_TIME: u8 = 3;
const PATH: u8 = 4;

impl Cache {
    /// Reads the entry of this file and purpose, if the file is unchanged. An entry of an earlier content
    /// is removed from every tier.
    ///
    /// The key is a hash of the content, and the purpose. Of a file larger than 1 MiB the size, the time of
    /// modification and the first, middle and last 64 KiB are hashed; of one that cannot be read, the path
    /// and the time of modification. Files of equal content share an entry, which is removed when one of
    /// them changes.
    ///
    /// Each call reads up to 1 MiB of the file, and the key it had last time from the tiers. It blocks.
    ///
    /// ```
    /// use bedrock_catalog_cache::{Cache, MemoryLimits, EntryOptions};
    ///
    /// let cache = Cache::builder().memory(MemoryLimits::default()).build()?;
    /// let file = "Cargo.toml".as_ref();
    /// assert!(cache.get_for_file(file, "lines").is_missing());
    /// cache.put_for_file(file, "lines", "170", &EntryOptions::source("count"));
    /// assert!(cache.get_for_file(file, "lines").is_fresh());
    /// # Ok::<(), bedrock_catalog_cache::ConfigError>(())
    /// ```
    #[must_use]
    pub fn get_for_file(&self, file: &Path, purpose: &str) -> Freshness {
        let key = self.file_key(file, purpose);
        self.get(&key)
    }

    /// Stores a value made from the file, under the key that the file has now. If the file may change
    /// while it is processed, take [`Cache::file_key`] before, and [`Cache::put`] under that key.
    pub fn put_for_file(
        &self,
        file: &Path,
        purpose: &str,
        value: impl Into<Bytes>,
        options: &EntryOptions,
    ) -> WriteOutcome {
        let key = self.file_key(file, purpose);
        self.put(&key, value, options)
    }

    /// The key of this file, as it is now, and purpose. If the file had another key last time, the entry of
    /// that key is removed from every tier.
    #[must_use]
    pub fn file_key(&self, file: &Path, purpose: &str) -> Key {
        let key = key_of(file, purpose);
        // An entry under a hash of the path has the last key; the path itself is not stored.
        let mut path = Hash::new();
        path.update([PATH]);
        path.update(file.as_os_str().as_encoded_bytes());
        let at = Key::new("file-at", purpose, &hex::lower(&path.finalize()));
        let before = self
            .peek(&at, false, &mut Call::read())
            .into_hit()
            .and_then(|hit| Key::parse(std::str::from_utf8(&hit.data).ok()?.trim_matches('"')));
        if before.as_ref() != Some(&key) {
            if let Some(before) = before {
                tracing::debug!(path = %file.display(), "a file has changed; its cache entry is removed");
                self.remove(&before);
            }
            self.put(&at, format!("\"{key}\""), &EntryOptions::source("file"));
        }
        key
    }
}

fn key_of(file: &Path, purpose: &str) -> Key {
    match content_hash(file) {
        Ok(hash) => Key::new("file", purpose, &hash),
        Err(error) => {
            tracing::debug!(path = %file.display(), %error, "a file cannot be read; its path and time are its cache key");
            let mut hash = Hash::new();
            hash.update([PATH_AND_TIME]);
            hash.update(file.as_os_str().as_encoded_bytes());
            if let Ok(modified) = file.metadata().and_then(|meta| meta.modified()) {
                hash.update(nanos(modified));
            }
            Key::new("file", purpose, &hex::lower(&hash.finalize())).sub("unread")
        }
    }
}

/// Reads at most 1 MiB.
fn content_hash(path: &Path) -> io::Result<String> {
    let (mut file, meta) = open_regular(path)?;
    let (size, modified) = (meta.len(), meta.modified()?);
    let mut hash = Hash::new();
    // No small file can be made that has the hash of a large one.
    if size <= WHOLE {
        hash.update([WHOLE_CONTENT]);
        feed(&mut file, WHOLE + 1, &mut hash)?;
    } else {
        hash.update([CHUNKS]);
        hash.update(size.to_le_bytes());
        hash.update(nanos(modified));
        for from in [0, size / 2, size - CHUNK] {
            file.seek(SeekFrom::Start(from))?;
            feed(&mut file, CHUNK, &mut hash)?;
        }
    }
    Ok(hex::lower(&hash.finalize()))
}

fn feed(file: &mut File, most: u64, hash: &mut Hash) -> io::Result<()> {
    let mut content = Vec::new();
    file.take(most).read_to_end(&mut content)?;
    hash.update(&content);
    Ok(())
}

/// Nanoseconds since 1970.
fn nanos(time: SystemTime) -> [u8; 16] {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_nanos().to_le_bytes()
}

/// Opens a regular file for reading. It never waits for the other end of a pipe, even if one replaces the
/// file meanwhile.
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
    // Another file may have taken its place.
    let metadata = regular(file.metadata()?)?;
    Ok((file, metadata))
}

fn regular(metadata: Metadata) -> io::Result<Metadata> {
    match metadata.is_file() {
        true => Ok(metadata),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a regular file",
        )),
    }
}
