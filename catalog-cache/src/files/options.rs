//! The options of the file tier.

use std::path::{Path, PathBuf};

use super::folder::TrustCheck;
use super::location::Location;
use crate::Key;

/// The folders, the bound and the readable file name of the file tier.
///
/// ```
/// use bedrock_catalog_cache::FilesOptions;
///
/// // The platform's cache folder, then a private folder in the temp directory.
/// let platform = FilesOptions::platform("my-app");
/// // Given folders, in priority order.
/// let given = FilesOptions::in_folders(["/var/cache/my-app", "/mnt/shared/my-app"]).max_bytes(16 << 20);
/// ```
#[derive(Debug, Clone)]
pub struct FilesOptions {
    folders: Folders,
    check: TrustCheck,
    pub(super) max_bytes: u64,
    pub(super) named: Option<(Key, String)>,
}

#[derive(Debug, Clone)]
enum Folders {
    Given(Vec<PathBuf>),
    Platform(String),
}

impl FilesOptions {
    /// The default of [`FilesOptions::max_bytes`], in bytes.
    pub const DEFAULT_MAX_BYTES: u64 = 64 << 20;

    /// These folders, in this order. A relative one counts from the current folder.
    ///
    /// An existing folder must belong to this user and be closed to other writers. A missing one is
    /// created with mode 0700 by the first write. An impossible path (empty, the root, with NUL, thousands
    /// of bytes) is left out with a warning.
    #[must_use]
    pub fn in_folders<P: AsRef<Path>>(folders: impl IntoIterator<Item = P>) -> Self {
        let folders = folders.into_iter().map(|path| path.as_ref().to_path_buf());
        Self::new(Folders::Given(folders.collect()))
    }

    /// The platform's cache folder (`$XDG_CACHE_HOME` or `~/.cache`, `~/Library/Caches`,
    /// `%LOCALAPPDATA%`), then a private folder in the temp directory, named after the user.
    ///
    /// The tier reads the environment when it is created. Unusable values are left out with a warning.
    /// `app` names the folders: letters, digits, `-` and `_`.
    #[must_use]
    pub fn platform(app: &str) -> Self {
        Self::new(Folders::Platform(app.to_owned()))
    }

    fn new(folders: Folders) -> Self {
        Self {
            folders,
            check: TrustCheck::Own,
            max_bytes: Self::DEFAULT_MAX_BYTES,
            named: None,
        }
    }

    /// Accepts any owner and mode of the given folders, for a container's volume that belongs to root or to a
    /// group.
    ///
    /// The operator vouches that no other user can write to them: such a user could plant entries. The
    /// folders and files inside must belong to this user all the same. The platform's folders are checked
    /// in any case.
    #[must_use]
    pub fn trust_folders(mut self) -> Self {
        self.check = TrustCheck::Trusted;
        self
    }

    /// The largest size of one location, in bytes; the oldest entries are evicted. 64 MiB by default.
    #[must_use]
    pub fn max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// Gives the file of one key a readable name, `NAME.jsonl`. Only letters, digits, `-` and `_` of the
    /// name are used; if none is left, the file is named by its hash.
    #[must_use]
    pub fn file_key(mut self, key: Key, name: &str) -> Self {
        let name: String = name
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            .take(64)
            .collect();
        self.named = (!name.is_empty()).then_some((key, name));
        self
    }

    pub(super) fn locations(&self) -> Vec<Location> {
        match &self.folders {
            Folders::Given(folders) => Location::given(folders, self.check),
            Folders::Platform(app) => Location::platform(app),
        }
    }
}
