//! The names of Redis keys.
//!
//! ```text
//! PREFIX:v1:{NAMESPACE:KEY}          the entry, as the codec writes it
//! PREFIX:v1:{NAMESPACE:KEY}:fence    a hash: `last`, the latest fencing token; `floor`, the lowest
//!                                    token that may still store
//! PREFIX:v1:{NAMESPACE:KEY}:lease    the owner of the lease
//! PREFIX:v1:changes                  the channel of notifications
//! ```
//! A Cluster hashes the part in braces, so the three keys of an entry share a slot. A later minor version
//! of the package that keeps the format writes `v1-0.2` for `v1`, as in files: two versions share a
//! server and never read each other's entries.

use crate::{Codec, Key, Namespace};

/// The `MAJOR.MINOR` that introduced the format; it has no suffix.
const FIRST: (Option<u32>, Option<u32>) = (Some(0), Some(1));

/// The names under one prefix.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    /// `PREFIX:v1:`, without characters that are special in a glob.
    base: String,
}

impl Keys {
    pub(super) fn new(prefix: &str, codec: &Codec) -> Self {
        let format = Codec::FORMAT;
        let mut parts = codec.package_version().split('.');
        let mut number = || parts.next()?.parse::<u32>().ok();
        let base = match (number(), number()) {
            FIRST => format!("{prefix}:v{format}:"),
            (Some(major), Some(minor)) => format!("{prefix}:v{format}-{major}.{minor}:"),
            _ => format!("{prefix}:v{format}-other:"),
        };
        Self { base }
    }

    pub(super) fn entry(&self, namespace: &Namespace, key: &Key) -> String {
        format!("{}{{{namespace}:{key}}}", self.base)
    }

    pub(super) fn fence(&self, namespace: &Namespace, key: &Key) -> String {
        self.entry(namespace, key) + ":fence"
    }

    pub(super) fn lease(&self, namespace: &Namespace, key: &Key) -> String {
        self.entry(namespace, key) + ":lease"
    }

    pub(super) fn channel(&self) -> String {
        format!("{}changes", self.base)
    }

    /// A glob for all entries, of one namespace or of all.
    pub(super) fn entries(&self, namespace: Option<&Namespace>) -> String {
        self.all(namespace) + "}"
    }

    /// A glob for all entries, fences and leases.
    pub(super) fn all(&self, namespace: Option<&Namespace>) -> String {
        match namespace {
            Some(namespace) => format!("{}{{{namespace}:*", self.base),
            None => format!("{}{{*", self.base),
        }
    }

    /// The namespace and key of an entry, a fence or a lease.
    pub(super) fn parse(&self, name: &[u8]) -> Option<(Namespace, Key)> {
        let name = std::str::from_utf8(name).ok()?;
        let name = name.strip_prefix(&self.base)?.strip_prefix('{')?;
        let (inside, _) = name.split_once('}')?;
        let (namespace, key) = inside.split_once(':')?;
        Some((namespace.parse().ok()?, Key::parse(key)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_parsed_back() {
        let keys = Keys::new("app", &Codec::new("0.1.7"));
        let (namespace, key) = (Namespace::of(["a"]), Key::new("x", "y", "{z}*[?]\\"));
        let entry = keys.entry(&namespace, &key);
        assert_eq!(
            entry,
            format!("app:v1:{{{namespace}:x:y:%7Bz%7D%2A%5B%3F%5D%5C}}")
        );
        for name in [
            entry,
            keys.fence(&namespace, &key),
            keys.lease(&namespace, &key),
        ] {
            assert_eq!(keys.parse(name.as_bytes()), Some((namespace, key.clone())));
        }
        for strange in [
            "app:v1:changes",
            "app:v1:{}",
            "app:v1:{abc:x}",
            "other",
            "app:v2:{",
        ] {
            assert_eq!(keys.parse(strange.as_bytes()), None, "{strange}");
        }
    }

    #[test]
    fn another_minor_version_has_other_names() {
        let channel = |version| Keys::new("app", &Codec::new(version)).channel();
        assert_eq!(channel("0.1.9"), "app:v1:changes");
        assert_eq!(channel("0.2.0"), "app:v1-0.2:changes");
        assert_eq!(channel("*"), "app:v1-other:changes");
    }
}
