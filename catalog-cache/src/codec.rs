//! The encoding of an entry: two lines, the envelope and the payload.
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
//! The checksum is XXH3 with 128 bits. It detects accidents, not manipulation: a tier protects the bytes
//! it stores, and a reader treats a payload as untrusted.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;

use crate::entry::{duration_millis, from_millis, to_millis};
use crate::hex;
use crate::{Entry, Envelope, Key, Namespace, TierError, TierErrorKind, Ttl};

/// The longest envelope line, in bytes.
pub(crate) const MAX_ENVELOPE: usize = 4096;
const CHECKSUM_FIELD: &[u8] = b"\"checksum\":\"";
const DIGITS: usize = 32;

/// Encodes and decodes entries within bounds, for tiers that store bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codec {
    version: String,
    max_len: usize,
    compress_above: Option<usize>,
}

/// An encoded entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Both lines.
    pub bytes: Vec<u8>,
    /// The bytes that compression saved.
    pub saved: u64,
}

impl Codec {
    /// The version of the format. The folder of the file tier has it in its name.
    pub const FORMAT: u32 = 1;

    /// The default of [`Codec::max_len`], in bytes.
    pub const DEFAULT_MAX_LEN: usize = 16 << 20;

    /// A codec for entries of this package version, `MAJOR.MINOR.PATCH`. It reads entries of the same
    /// `MAJOR.MINOR`, so a patch release keeps the cache.
    #[must_use]
    pub fn new(version: impl Into<String>) -> Self {
        Self {
            version: version.into(),
            max_len: Self::DEFAULT_MAX_LEN,
            compress_above: None,
        }
    }

    /// Sets the longest entry, in bytes, as encoded and as decompressed. Callers bound their reads by it.
    #[must_use]
    pub fn with_max_len(mut self, max_len: usize) -> Self {
        self.max_len = max_len;
        self
    }

    /// Compresses payloads longer than this many bytes, if the feature `compression` is on and the result
    /// is smaller.
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

    /// The version in new entries.
    #[must_use]
    pub fn package_version(&self) -> &str {
        &self.version
    }

    /// The `MAJOR.MINOR` line whose entries it reads.
    pub(crate) fn line(&self) -> Option<&str> {
        minor_line(&self.version)
    }

    /// Encodes an entry.
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
            fresh_for: duration_millis(envelope.ttl.fresh_for),
            keep_for: duration_millis(envelope.ttl.keep_for),
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
        bytes.extend_from_slice(CHECKSUM_FIELD);
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

    /// Decodes the entry of this namespace and key. The payload shares `bytes` unless it was compressed.
    /// Nothing is parsed before the checksum agrees.
    ///
    /// # Errors
    /// [`TierErrorKind::TooLarge`] beyond the bounds, [`TierErrorKind::Foreign`] for another
    /// format, package version, namespace or key, else [`TierErrorKind::Corrupt`].
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

    /// Decodes an entry of any namespace and key, for cleanup and listings. A read uses
    /// [`Codec::decode`].
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
            let before = head.get(..head.len().checked_sub(DIGITS)?)?;
            before.ends_with(CHECKSUM_FIELD).then_some(before.len())
        });
        let digits = digits.ok_or_else(|| corrupt("the envelope has no checksum"))?;
        let last = bytes.len().saturating_sub(1);
        if last <= end || bytes.get(last) != Some(&b'\n') {
            return Err(corrupt("the payload is cut off"));
        }
        let sum = checksum(&bytes, digits);
        if bytes.get(digits..digits + DIGITS) != Some(sum.as_bytes()) {
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

    /// Decodes the envelope from the first bytes of an entry; 4 KiB are always enough. It does not verify
    /// the checksum: for cleanup and listings.
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
            ttl: Ttl {
                fresh_for: Duration::from_millis(read.fresh_for),
                keep_for: Duration::from_millis(read.keep_for),
            },
            source: read.source.into(),
            package_version: read.package_version.into(),
        };
        Ok((envelope, written))
    }

    fn reads(&self, version: &str) -> bool {
        self.line()
            .is_some_and(|line| minor_line(version) == Some(line))
    }

    #[cfg(feature = "compression")]
    fn compress(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.compress_above
            .filter(|above| plain.len() > *above)
            .and_then(|_| crate::compression::compress(plain))
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
        crate::compression::decompress(packed, length)
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

/// The payload as encoded.
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

/// The checksum of all bytes but its own digits, as lower-case hexadecimal digits.
fn checksum(bytes: &[u8], digits: usize) -> String {
    let mut sum = XxHash3_128::new();
    sum.write(bytes.get(..digits).unwrap_or_default());
    sum.write(bytes.get(digits + DIGITS..).unwrap_or_default());
    hex::lower(&sum.finish_128().to_be_bytes())
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
