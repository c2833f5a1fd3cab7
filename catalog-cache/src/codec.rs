//! How an entry is written down: two lines, the envelope and the payload. This file may not know
//! where the bytes go.
//!
//! ```text
//! {"format":1,"key":"…","namespace":"…","written_at":…,"fresh_for":…,"keep_for":…,"source":"…","package_version":"…","length":…,"checksum":"…"}
//! payload
//! ```
//!
//! Times are milliseconds, `written_at` since 1970. `length` counts the payload's bytes as written.
//! The checksum is the last field and covers every byte but its own 32 digits: the envelope, the
//! payload and both line ends. A payload of JSON is one line of JSON; a compressed one has
//! `"compression":"lz4"` and `"plain_length"` in its envelope and is not text.
//!
//! The checksum is XXH3 of 128 bits; one of 64 digits, as was written before, is SHA-256. It finds accidents. It does not stop someone who may write the file: whoever stores
//! these bytes must guard them, and readers must treat a payload as untrusted.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use twox_hash::XxHash3_128;

use super::entry::{duration_millis, from_millis, to_millis};
use super::hex;
use super::tier::{TierError, TierErrorKind};
use super::{Entry, Envelope, Horizons, Key, Namespace};

/// The longest envelope line, in bytes.
const MAX_ENVELOPE: usize = 4096;
const MARK: &[u8] = b"\"checksum\":\"";
const DIGITS: usize = 32;
/// Those of SHA-256, which was written before.
const SHA_DIGITS: usize = 64;
/// Writes entries down and reads them back, within bounds. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codec {
    version: String,
    also_reads: Vec<String>,
    max_len: usize,
    compress_above: Option<usize>,
}

/// An entry, written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Both lines.
    pub bytes: Vec<u8>,
    /// How many bytes compression saved.
    pub saved: u64,
}

impl Codec {
    /// The format this build writes; the disk tier's folder is named after it.
    pub const FORMAT: u32 = 1;

    /// The default of [`Codec::max_len`], in bytes.
    pub const DEFAULT_MAX_LEN: usize = 16 << 20;

    /// A codec for entries of this package version, `MAJOR.MINOR.PATCH`. It reads entries of the
    /// same `MAJOR.MINOR`: a patch update keeps the cache.
    #[must_use]
    pub fn new(version: impl Into<String>) -> Self {
        Self {
            version: version.into(),
            also_reads: Vec::new(),
            max_len: Self::DEFAULT_MAX_LEN,
            compress_above: None,
        }
    }

    /// Also reads entries written by these `MAJOR.MINOR` lines.
    #[must_use]
    pub fn also_reads<'a>(mut self, lines: impl IntoIterator<Item = &'a str>) -> Self {
        self.also_reads.extend(lines.into_iter().map(str::to_owned));
        self
    }

    /// The longest entry, in bytes, as written and as decompressed. Callers cap their reads with it.
    #[must_use]
    pub fn with_max_len(mut self, max_len: usize) -> Self {
        self.max_len = max_len;
        self
    }

    /// Compresses payloads longer than this many bytes, where the feature `compression` is on and
    /// compressing pays.
    #[must_use]
    pub fn with_compression_above(mut self, bytes: Option<usize>) -> Self {
        self.compress_above = bytes;
        self
    }

    /// The longest entry, in bytes.
    #[must_use]
    pub fn max_len(&self) -> usize {
        self.max_len
    }

    /// The version written into new entries.
    #[must_use]
    pub fn package_version(&self) -> &str {
        &self.version
    }

    /// The `MAJOR.MINOR` lines whose entries it reads, its own first.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        let also = self.also_reads.iter().map(String::as_str);
        minor_line(&self.version).into_iter().chain(also)
    }

    /// Writes an entry down. One allocation of the entry's size, and one checksum over it.
    ///
    /// # Errors
    /// The entry is longer than [`Codec::max_len`].
    pub fn encode(&self, entry: &Entry) -> Result<Encoded, TierError> {
        let plain = entry.payload();
        let packed = self.compress(plain);
        let payload = packed.as_deref().unwrap_or(plain);
        let envelope = entry.envelope();
        let line = Line {
            format: Self::FORMAT,
            key: envelope.key.as_str(),
            namespace: &envelope.namespace.to_string(),
            written_at: to_millis(envelope.written_at),
            fresh_for: duration_millis(envelope.horizons.fresh_for),
            keep_for: duration_millis(envelope.horizons.keep_for),
            source: &envelope.source,
            package_version: &envelope.package_version,
            compression: packed.as_ref().map(|_| LZ4),
            plain_length: packed.as_ref().map(|_| plain.len()),
            length: payload.len(),
        };
        let mut bytes = Vec::with_capacity(512 + payload.len());
        serde_json::to_writer(&mut bytes, &line).map_err(|e| {
            TierError::new(TierErrorKind::Other, "cannot write the envelope").with_source(e)
        })?;
        // The checksum takes the place of the closing brace.
        bytes.pop();
        bytes.push(b',');
        bytes.extend_from_slice(MARK);
        let digits = bytes.len();
        bytes.extend_from_slice(&[b'0'; DIGITS]);
        bytes.extend_from_slice(b"\"}\n");
        let head = bytes.len();
        bytes.extend_from_slice(payload);
        bytes.push(b'\n');
        if bytes.len() > self.max_len || plain.len() > self.max_len || head > MAX_ENVELOPE {
            return Err(too_large(bytes.len().max(plain.len()), self.max_len));
        }
        let sum = checksum(&bytes, digits);
        if let Some(place) = bytes.get_mut(digits..digits + DIGITS) {
            place.copy_from_slice(sum.as_bytes());
        }
        let saved = packed
            .as_ref()
            .map_or(0, |packed| plain.len().saturating_sub(packed.len()) as u64);
        Ok(Encoded { bytes, saved })
    }

    /// Reads back the entry of this namespace and key. The payload shares `bytes` unless it was
    /// compressed. Costs one checksum over the bytes; nothing is parsed before it agrees.
    ///
    /// # Errors
    /// [`TierErrorKind::TooLarge`] beyond the bounds, [`TierErrorKind::Foreign`] for another
    /// format, package version, namespace or key, [`TierErrorKind::Corrupt`] for all else.
    pub fn decode(
        &self,
        bytes: Bytes,
        namespace: &Namespace,
        key: &Key,
    ) -> Result<Entry, TierError> {
        let entry = self.decode_any(bytes)?;
        let envelope = entry.envelope();
        if envelope.namespace != *namespace || envelope.key != *key {
            return Err(foreign("the entry is of another namespace or key"));
        }
        Ok(entry)
    }

    /// Reads back an entry of any namespace and key, for cleanup and listings. Never answer a
    /// question with it.
    ///
    /// # Errors
    /// As [`Codec::decode`].
    pub fn decode_any(&self, bytes: Bytes) -> Result<Entry, TierError> {
        if bytes.len() > self.max_len {
            return Err(too_large(bytes.len(), self.max_len));
        }
        let end = line_end(&bytes)?;
        let head = bytes.get(..end).unwrap_or_default();
        let digits = head.strip_suffix(b"\"}").and_then(|head| {
            let marked = |&digits: &usize| {
                let before = head.get(..head.len().checked_sub(digits)?)?;
                before.ends_with(MARK).then_some(before.len())
            };
            [DIGITS, SHA_DIGITS].iter().find_map(marked)
        });
        let digits = digits.ok_or_else(|| corrupt("the envelope has no checksum"))?;
        let last = bytes.len().saturating_sub(1);
        if last <= end || bytes.get(last) != Some(&b'\n') {
            return Err(corrupt("the payload is cut off"));
        }
        let told = bytes.get(digits..end - 2).unwrap_or_default();
        let sum = match told.len() {
            DIGITS => checksum(&bytes, digits),
            _ => checksum_of_old(&bytes, digits),
        };
        if told != sum.as_bytes() {
            return Err(corrupt("the checksum does not agree"));
        }
        let (envelope, written) = self.envelope(bytes.get(..end).unwrap_or_default())?;
        let payload = bytes.slice(end + 1..last);
        if payload.len() != written.length {
            return Err(corrupt(
                "the payload has another length than the envelope says",
            ));
        }
        let payload = match written.plain_length {
            None => payload,
            Some(length) => self.decompress(&payload, length)?,
        };
        Ok(Entry::new(envelope, payload))
    }

    /// Reads the envelope only, from the first bytes of an entry (4 KiB are always enough), and
    /// does not check the checksum: for cleanup and listings of many entries.
    ///
    /// # Errors
    /// As [`Codec::decode`].
    pub fn peek(&self, head: &[u8]) -> Result<Envelope, TierError> {
        let line = head.get(..line_end(head)?).unwrap_or_default();
        Ok(self.envelope(line)?.0)
    }

    fn envelope(&self, line: &[u8]) -> Result<(Envelope, Written), TierError> {
        let json = |e| corrupt("the envelope is not what was expected").with_source(e);
        let Format { format } = serde_json::from_slice(line).map_err(json)?;
        if format != Self::FORMAT {
            return Err(foreign("the entry has another format"));
        }
        let read: Read = serde_json::from_slice(line).map_err(json)?;
        if !self.reads(&read.package_version) {
            return Err(foreign(
                "the entry was written by another version of the package",
            ));
        }
        let written = Written {
            length: read.length,
            plain_length: match (read.compression.as_deref(), read.plain_length) {
                (None, None) => None,
                (Some(LZ4), Some(length)) => Some(length),
                (Some(LZ4), None) | (None, Some(_)) => {
                    return Err(corrupt("the envelope contradicts itself"));
                }
                (Some(_), _) => return Err(foreign("the entry is compressed in an unknown way")),
            },
        };
        if read.source.len() > Envelope::MAX_SOURCE {
            return Err(corrupt("the source is too long"));
        }
        let envelope = Envelope {
            key: Key::parse(&read.key).ok_or_else(|| corrupt("the key is not a key"))?,
            namespace: read
                .namespace
                .parse()
                .map_err(|e| corrupt("the namespace is not a namespace").with_source(e))?,
            written_at: from_millis(read.written_at)
                .ok_or_else(|| corrupt("the time of writing is out of range"))?,
            horizons: Horizons {
                fresh_for: Duration::from_millis(read.fresh_for),
                keep_for: Duration::from_millis(read.keep_for),
            },
            source: read.source.into(),
            package_version: read.package_version.into(),
        };
        Ok((envelope, written))
    }

    fn reads(&self, version: &str) -> bool {
        minor_line(version).is_some_and(|line| self.lines().any(|own| own == line))
    }

    #[cfg(feature = "compression")]
    fn compress(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.compress_above
            .filter(|above| plain.len() > *above)
            .and_then(|_| super::compression::compress(plain))
    }

    #[cfg(not(feature = "compression"))]
    fn compress(&self, _plain: &[u8]) -> Option<Vec<u8>> {
        None
    }

    #[cfg(feature = "compression")]
    fn decompress(&self, packed: &[u8], length: usize) -> Result<Bytes, TierError> {
        if length > self.max_len {
            return Err(too_large(length, self.max_len));
        }
        super::compression::decompress(packed, length)
            .map(Bytes::from)
            .ok_or_else(|| corrupt("the payload cannot be decompressed"))
    }

    #[cfg(not(feature = "compression"))]
    fn decompress(&self, _packed: &[u8], _length: usize) -> Result<Bytes, TierError> {
        Err(foreign(
            "the entry is compressed, and this build has no feature `compression`",
        ))
    }
}

const LZ4: &str = "lz4";

#[derive(Serialize)]
struct Line<'a> {
    format: u32,
    key: &'a str,
    namespace: &'a str,
    written_at: u64,
    fresh_for: u64,
    keep_for: u64,
    source: &'a str,
    package_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    compression: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plain_length: Option<usize>,
    length: usize,
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

#[derive(Deserialize)]
struct Read {
    key: String,
    namespace: String,
    written_at: u64,
    fresh_for: u64,
    keep_for: u64,
    source: String,
    package_version: String,
    compression: Option<String>,
    plain_length: Option<usize>,
    length: usize,
}

/// How the payload was written.
struct Written {
    length: usize,
    plain_length: Option<usize>,
}

fn line_end(bytes: &[u8]) -> Result<usize, TierError> {
    let head = bytes
        .get(..bytes.len().min(MAX_ENVELOPE))
        .unwrap_or_default();
    head.iter()
        .position(|b| *b == b'\n')
        .ok_or_else(|| corrupt("there is no envelope"))
}

/// Over everything but the checksum's own digits, as lower-case hexadecimal digits.
fn checksum(bytes: &[u8], digits: usize) -> String {
    let mut sum = XxHash3_128::new();
    sum.write(bytes.get(..digits).unwrap_or_default());
    sum.write(bytes.get(digits + DIGITS..).unwrap_or_default());
    hex::lower(&sum.finish_128().to_be_bytes())
}

/// As [`checksum`], of entries that were written before it was XXH3.
fn checksum_of_old(bytes: &[u8], digits: usize) -> String {
    let mut sum = Sha256::new();
    sum.update(bytes.get(..digits).unwrap_or_default());
    sum.update(bytes.get(digits + SHA_DIGITS..).unwrap_or_default());
    hex::lower(&sum.finalize())
}

/// `MAJOR.MINOR` of a version.
fn minor_line(version: &str) -> Option<&str> {
    let (second, _) = version.match_indices('.').nth(1)?;
    version.get(..second)
}

fn corrupt(message: &'static str) -> TierError {
    TierError::new(TierErrorKind::Corrupt, message)
}

fn foreign(message: &'static str) -> TierError {
    TierError::new(TierErrorKind::Foreign, message)
}

fn too_large(is: usize, may: usize) -> TierError {
    TierError::new(
        TierErrorKind::TooLarge,
        format!("the entry has {is} bytes, allowed are {may}"),
    )
}
