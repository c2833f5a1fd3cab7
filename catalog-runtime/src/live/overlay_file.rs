//! The overlay in use, and the file it comes from, which each load reads on another thread.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_lock::Semaphore;
use bedrock_catalog_cache::{Join, SingleFlight};
use bedrock_catalog_recording::{LARGEST_JSON, read_bounded, redact};

use super::overlay::Overlay;
use crate::error::{CatalogError, CatalogErrorKind};

/// Where the overlay comes from.
#[derive(Debug, Clone, Default)]
pub(super) enum OverlaySource {
    #[default]
    None,
    Values(Overlay),
    /// A file whose changes are noticed.
    File(PathBuf),
}

/// The overlay in use, and the reason why the file's own is not.
pub(super) type InUse = (Option<Arc<Overlay>>, Option<String>);

/// The content of the file at the last look, or the error.
type Content = Result<Vec<u8>, io::ErrorKind>;

/// The overlay of a catalog.
pub(super) struct OverlayState {
    in_use: Mutex<InUse>,
    /// The same content is neither parsed nor reported again.
    seen: Mutex<Option<Content>>,
    /// The overlay in use is not published yet.
    changed: AtomicBool,
    looks: SingleFlight<(), ()>,
    /// The one thread that may look.
    thread: Arc<Semaphore>,
}

impl OverlayState {
    pub(super) fn new(overlay: Option<Arc<Overlay>>) -> Self {
        Self {
            in_use: Mutex::new((overlay, None)),
            seen: Mutex::default(),
            changed: AtomicBool::new(false),
            looks: SingleFlight::new(),
            thread: Arc::new(Semaphore::new(1)),
        }
    }

    /// Reads the file; concurrent calls share a look. An unusable file leaves the last overlay.
    pub(super) async fn look(&self, path: &Path) {
        let file = path.to_owned();
        self.look_with(path, move || read_bounded(&file, LARGEST_JSON))
            .await;
    }

    async fn look_with(
        &self,
        path: &Path,
        read: impl FnOnce() -> io::Result<Vec<u8>> + Send + 'static,
    ) {
        let look = async {
            // A look that hangs is not waited for again, and costs one thread.
            let Some(permit) = self.thread.try_acquire_arc() else {
                return;
            };
            let read = bedrock_catalog_cache::spawn_blocking(move || {
                let _permit = permit;
                read()
            });
            let read = read.await;
            let content = read.as_ref().map(Clone::clone).map_err(io::Error::kind);
            if lock(&self.seen).replace(content.clone()) == Some(content) {
                return;
            }
            let overlay = match read {
                Ok(json) => Overlay::from_json(&json),
                Err(error) => {
                    let message = format!("cannot read the overlay {}", path.display());
                    Err(CatalogError::new(CatalogErrorKind::Io, message).with_source(error))
                }
            };
            match overlay {
                Ok(overlay) => *lock(&self.in_use) = (Some(Arc::new(overlay)), None),
                Err(error) => {
                    // The error may quote ARNs, which name an account.
                    let (path, error) = (path.display(), error.to_string());
                    let error = redact(&error);
                    tracing::warn!(%path, %error, "the overlay is not used");
                    let reason = format!("the overlay {path} is not used: {error}");
                    lock(&self.in_use).1 = Some(reason);
                }
            }
            self.changed.store(true, Ordering::Release);
        };
        self.looks.run((), Join::Next, look).await;
    }

    /// The overlay to publish.
    pub(super) fn take(&self) -> InUse {
        self.changed.store(false, Ordering::Release);
        lock(&self.in_use).clone()
    }

    /// Whether the overlay in use is not published yet.
    pub(super) fn is_changed(&self) -> bool {
        self.changed.load(Ordering::Acquire)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, poll_once};

    use super::*;

    #[test]
    fn a_look_that_hangs_is_not_waited_for_again() {
        let (state, path) = (OverlayState::new(None), Path::new("overlay.json"));
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (begin, begun) = std::sync::mpsc::channel::<()>();
        let hangs = move || {
            begin.send(()).unwrap();
            held.recv().unwrap();
            Ok(Vec::new())
        };
        let mut first = Box::pin(state.look_with(path, hangs));
        assert!(block_on(poll_once(&mut first)).is_none());
        begun.recv().unwrap();
        drop(first);
        let look = || Box::pin(state.look_with(path, || Ok(br#"{"models": []}"#.to_vec())));
        block_on(look());
        assert!(!state.is_changed());
        release.send(()).unwrap();
        while !state.is_changed() {
            block_on(look());
        }
    }

    #[test]
    fn the_same_content_changes_nothing() {
        let (state, path) = (OverlayState::new(None), Path::new("overlay.json"));
        let changes = |content: io::Result<Vec<u8>>| {
            block_on(state.look_with(path, || content));
            let changed = state.is_changed();
            state.take();
            changed
        };
        let json = |json: &str| Ok(json.as_bytes().to_vec());
        assert!(changes(Err(io::ErrorKind::NotFound.into())));
        assert!(
            !changes(Err(io::ErrorKind::NotFound.into())),
            "reported once"
        );
        assert!(changes(json(r#"{"models": []}"#)));
        assert!(!changes(json(r#"{"models": []}"#)));
        assert!(changes(json("{")));
        assert!(!changes(json("{")), "reported once");
        assert!(state.take().0.is_some(), "the last usable overlay stays");
    }
}
