//! The crate's error.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A recording or a catalog cannot be read, or a recording cannot be written.
///
/// Opaque, one word in size. `Display` and `Debug` print the message and, after colons, the causes.
///
/// ```
/// use bedrock_catalog_recording::{RecordingErrorKind, catalog_from_json};
///
/// let error = catalog_from_json(b"{").unwrap_err();
/// assert_eq!(error.kind(), RecordingErrorKind::InvalidCatalog);
/// assert!(error.to_string().starts_with("this is no catalog JSON: EOF while parsing"));
/// ```
#[derive(Clone)]
pub struct RecordingError {
    inner: Box<Inner>,
}

#[derive(Clone)]
struct Inner {
    kind: RecordingErrorKind,
    message: String,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// The kind of a [`RecordingError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecordingErrorKind {
    /// A file cannot be read or written.
    Io,
    /// A recording is incomplete or malformed.
    InvalidRecording,
    /// A text is no valid catalog.
    InvalidCatalog,
}

impl RecordingErrorKind {
    /// The kind in snake case: `io`, `invalid_recording`, `invalid_catalog`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Io => "io",
            Self::InvalidRecording => "invalid_recording",
            Self::InvalidCatalog => "invalid_catalog",
        }
    }
}

impl fmt::Display for RecordingErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl RecordingError {
    pub(crate) fn new(kind: RecordingErrorKind, message: impl Into<String>) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                message: message.into(),
                source: None,
            }),
        }
    }

    /// An I/O error: "cannot ACTION PATH".
    pub(crate) fn io(action: &str, path: &Path, source: std::io::Error) -> Self {
        Self::new(
            RecordingErrorKind::Io,
            format!("cannot {action} {}", path.display()),
        )
        .because(source)
    }

    pub(crate) fn because(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.inner.source = Some(source.into().into());
        self
    }

    /// The kind.
    pub fn kind(&self) -> RecordingErrorKind {
        self.inner.kind
    }

    /// Whether a file cannot be read or written.
    pub fn is_io(&self) -> bool {
        self.kind() == RecordingErrorKind::Io
    }

    /// Whether a recording or a catalog is malformed.
    pub fn is_invalid(&self) -> bool {
        use RecordingErrorKind::{InvalidCatalog, InvalidRecording};
        matches!(self.kind(), InvalidRecording | InvalidCatalog)
    }
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)?;
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

/// The message and the causes, as `Display`.
impl fmt::Debug for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for RecordingError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner.source.as_deref().map(|source| source as _)
    }
}
