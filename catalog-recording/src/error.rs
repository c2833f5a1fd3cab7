//! The one opaque error of this crate.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Why something of this crate could not be done: a kind, a message that says what to do, and the
/// cause as its source. One word in size.
#[derive(Clone)]
pub struct RecordingError {
    inner: Box<Inner>,
}

#[derive(Debug, Clone)]
struct Inner {
    kind: RecordingErrorKind,
    message: String,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// What kind of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecordingErrorKind {
    /// A file could not be read or written.
    Io,
    /// A recording is incomplete or not what the API answers.
    InvalidRecording,
    /// A text is no catalog.
    InvalidCatalog,
}

impl RecordingErrorKind {
    /// The kind's word, as the command line prints it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Io => "io",
            Self::InvalidRecording => "invalid_recording",
            Self::InvalidCatalog => "invalid_catalog",
        }
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

    /// What could not be done with a file, and why.
    pub(crate) fn io(doing: &str, path: &Path, source: std::io::Error) -> Self {
        Self::new(
            RecordingErrorKind::Io,
            format!("cannot {doing} {}", path.display()),
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

    /// What kind of thing went wrong.
    pub fn kind(&self) -> RecordingErrorKind {
        self.inner.kind
    }
}

/// The message, and after a colon each cause's.
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

impl fmt::Debug for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, f)
    }
}

impl std::error::Error for RecordingError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner.source.as_deref().map(|source| source as _)
    }
}
