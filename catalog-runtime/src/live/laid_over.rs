//! The overlay in use, and the file it comes from: read off the caller's thread, and only where it has
//! changed. This file may not know what it is laid over.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use super::overlay::Overlay;
use super::rounds::Rounds;
use crate::error::CatalogError;
use bedrock_catalog_recording::LARGEST_JSON;
use bedrock_catalog_recording::read_bounded;
use bedrock_catalog_recording::redact;

/// Where the overlay comes from.
#[derive(Debug, Clone, Default)]
pub(super) enum OverlaySource {
    #[default]
    None,
    Values(Overlay),
    /// A file whose changes are noticed.
    File(PathBuf),
}

/// Of a file changed less long ago, another change may not show in its times.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// What the file system says of a file, without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: SystemTime,
    /// Which file it is, and when it was last changed in any way, where the platform tells.
    inode: Option<(u64, i64, i64)>,
}

impl Stamp {
    fn of(metadata: &Metadata) -> io::Result<Self> {
        #[cfg(unix)]
        let inode = {
            use std::os::unix::fs::MetadataExt as _;
            Some((metadata.ino(), metadata.ctime(), metadata.ctime_nsec()))
        };
        #[cfg(not(unix))]
        let inode = None;
        Ok(Self {
            bytes: metadata.len(),
            modified: metadata.modified()?,
            inode,
        })
    }

    /// Whether the same stamp later means the same content.
    fn is_settled(&self) -> bool {
        let age = SystemTime::now().duration_since(self.modified);
        age.is_ok_and(|age| age > SETTLED_AFTER)
    }
}

/// What was seen of the file at the last look.
#[derive(Debug, Clone, Default)]
struct Seen {
    /// Or why there was nothing to see. `None` where it may have changed unseen.
    stamp: Option<Result<Stamp, io::ErrorKind>>,
    /// The digest of what was read, or why nothing was.
    content: Option<Result<[u8; 32], io::ErrorKind>>,
}

impl Seen {
    /// Looks at the file: what is seen now and, where its content is another, what it says.
    fn look(self, path: &Path) -> Look {
        let stamp = path.metadata().and_then(|metadata| Stamp::of(&metadata));
        let stamp = stamp.map_err(|error| error.kind());
        if self.stamp.as_ref() == Some(&stamp) {
            return (self, None);
        }
        let settled = stamp.as_ref().map_or(true, Stamp::is_settled);
        let read = read_bounded(path, LARGEST_JSON);
        let content = read.as_ref().map(|json| Sha256::digest(json).into());
        let now = Self {
            stamp: settled.then_some(stamp),
            content: Some(content.map_err(io::Error::kind)),
        };
        // Whatever comes of it: the same content is not parsed again, nor complained of.
        let changed = now.content != self.content;
        let said = changed.then(|| {
            let json = read.map_err(|error| CatalogError::io("read the overlay", path, error))?;
            Overlay::from_json(&json)
        });
        (now, said)
    }
}

/// The overlay in use, and why the file's own is not, if so.
pub(super) type InUse = (Option<Arc<Overlay>>, Option<String>);

/// The overlay in use.
#[derive(Default)]
pub(super) struct LaidOver {
    in_use: Mutex<InUse>,
    seen: Mutex<Seen>,
    /// It is another one since somebody took it.
    changed: AtomicBool,
    looks: Rounds<()>,
    /// A thread is looking.
    looking: Arc<AtomicBool>,
}

/// What a look saw, and what the file says where that is new.
type Look = (Seen, Option<Result<Overlay, CatalogError>>);

impl LaidOver {
    /// One that stays as it is.
    pub(super) fn of(overlay: Arc<Overlay>) -> Self {
        Self {
            in_use: Mutex::new((Some(overlay), None)),
            ..Self::default()
        }
    }

    /// Looks at the file, once for all who want to at a time; one that cannot be used leaves the last.
    pub(super) async fn look(&self, path: &Path) {
        let file = path.to_owned();
        self.look_by(path, move |seen| seen.look(&file)).await;
    }

    async fn look_by(&self, path: &Path, look: impl FnOnce(Seen) -> Look + Send + 'static) {
        let look = async {
            // Whoever waited for it has given up: a disk that hangs is not waited for again, nor asked
            // by one thread more.
            if self.looking.load(Ordering::Acquire) {
                return;
            }
            let (seen, looking) = (lock(&self.seen).clone(), Arc::clone(&self.looking));
            let looked = blocking::unblock(move || {
                looking.store(true, Ordering::Release);
                let looked = look(seen);
                looking.store(false, Ordering::Release);
                looked
            });
            let (seen, said) = looked.await;
            *lock(&self.seen) = seen;
            let mut in_use = lock(&self.in_use);
            match said {
                None => return,
                Some(Ok(overlay)) => *in_use = (Some(Arc::new(overlay)), None),
                Some(Err(error)) => {
                    // It may quote ARNs, and those name an account.
                    let (path, error) = (path.display(), error.to_string());
                    let error = redact(&error);
                    tracing::warn!(%path, %error, "the overlay is not used");
                    in_use.1 = Some(format!("the overlay {path} is not used: {error}"));
                }
            }
            self.changed.store(true, Ordering::Release);
        };
        self.looks.join(look).await;
    }

    /// The overlay as it is now, to be laid over what is served.
    pub(super) fn take(&self) -> InUse {
        self.changed.store(false, Ordering::Release);
        lock(&self.in_use).clone()
    }

    /// Whether what is served has not got it yet.
    pub(super) fn is_changed(&self) -> bool {
        self.changed.load(Ordering::Acquire)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(path: &Path, text: &str, age: Duration) {
        std::fs::write(path, text).unwrap();
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }

    #[test]
    fn a_look_that_hangs_is_not_waited_for_again() {
        use futures_lite::future::{block_on, poll_once};
        let (laid_over, path) = (LaidOver::default(), Path::new("overlay.json"));
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (begin, begun) = std::sync::mpsc::channel::<()>();
        let hangs = move |seen| {
            begin.send(()).unwrap();
            held.recv().unwrap();
            (seen, None)
        };
        let mut first = Box::pin(laid_over.look_by(path, hangs));
        assert!(block_on(poll_once(&mut first)).is_none());
        begun.recv().unwrap();
        drop(first);
        let looks =
            || Box::pin(laid_over.look_by(path, |seen| (seen, Some(Ok(Overlay::default())))));
        block_on(looks());
        assert!(!laid_over.is_changed(), "it was not waited for");
        release.send(()).unwrap();
        while !laid_over.is_changed() {
            block_on(looks());
        }
    }

    #[test]
    fn an_unchanged_file_is_not_read_and_a_changed_one_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("overlay.json");
        let hour = Duration::from_secs(3600);
        let look = |seen: &Seen| seen.clone().look(&path);

        let (missing, said) = look(&Seen::default());
        assert!(said.unwrap().is_err());
        let (missing, said) = look(&missing);
        assert!(said.is_none(), "complained of once");

        written(&path, r#"{"models": []}"#, hour);
        let (first, said) = look(&missing);
        assert!(said.unwrap().unwrap().is_empty());
        assert!(first.stamp.is_some());
        let (_, said) = look(&first);
        assert!(said.is_none());

        // Written just now: the same length and perhaps the same moment, so the content has to tell.
        written(&path, r#"{"models":  []}"#, Duration::ZERO);
        let (fresh, said) = look(&first);
        assert!(said.is_some() && fresh.stamp.is_none());
        written(&path, r#"{"models" : []}"#, Duration::ZERO);
        let (fresh, said) = look(&fresh);
        assert!(said.is_some());
        let (_, said) = look(&fresh);
        assert!(said.is_none(), "read, and the same");
    }
}
