//! The crate's error.

use std::fmt;
use std::path::Path;

use bedrock_catalog_recording::RecordingError;

/// A catalog cannot be baked, or its files cannot be written.
///
/// Opaque, one word in size. `Display` and `Debug` print the message and, after colons, the causes.
pub struct GenError {
    inner: Box<Inner>,
}

struct Inner {
    kind: GenErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The kind of a [`GenError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GenErrorKind {
    /// A file cannot be read or written, or `OUT_DIR` is not set.
    Io,
    /// The recording or catalog is invalid.
    InvalidInput,
    /// The generated code is not what it should be: a bug.
    Internal,
}

impl GenError {
    pub(crate) fn new(kind: GenErrorKind, message: impl Into<String>) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                message: message.into(),
                source: None,
            }),
        }
    }

    pub(crate) fn because(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    /// An I/O error: "cannot ACTION PATH".
    pub(crate) fn io(action: &str, path: &Path, source: std::io::Error) -> Self {
        let message = format!("cannot {action} {}", path.display());
        Self::new(GenErrorKind::Io, message).because(source)
    }

    /// An error of the input at this path.
    pub(crate) fn input(path: &Path, source: RecordingError) -> Self {
        let kind = match source.is_io() {
            true => GenErrorKind::Io,
            false => GenErrorKind::InvalidInput,
        };
        Self::new(kind, format!("cannot bake {}", path.display())).because(source)
    }

    /// The kind.
    pub fn kind(&self) -> GenErrorKind {
        self.inner.kind
    }

    /// Whether the recording or catalog is invalid.
    pub fn is_invalid_input(&self) -> bool {
        self.kind() == GenErrorKind::InvalidInput
    }
}

impl fmt::Display for GenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)?;
        // The messages of the errors of these crates include their causes.
        match &self.inner.source {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

/// The message and the causes, as `Display`.
impl fmt::Debug for GenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for GenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner.source.as_deref().map(|source| source as _)
    }
}
