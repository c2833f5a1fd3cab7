//! What things are called in Redis. This file knows names and asks nothing.
//!
//! ```text
//! PREFIX:v1:{NAMESPACE:KEY}          the entry, as the codec writes it
//! PREFIX:v1:{NAMESPACE:KEY}:fence    a hash: `last`, the last number drawn for the key; `floor`, below
//!                                    which nothing is stored any more
//! PREFIX:v1:{NAMESPACE:KEY}:lease    the number of who computes it
//! PREFIX:v1:changes                  the channel of changes
//! ```
//! What is in braces decides the slot in a Cluster: the three keys of an entry are in one. A later minor
//! version of the package that keeps the format has `v1-0.2` in the place of `v1`, as on disk: two
//! versions share a server and never meet.

use crate::{Codec, Key, Namespace};

/// The `MAJOR.MINOR` that brought the codec's format, and has no suffix.
const FIRST_LINE: &str = "0.1";

/// The names under one prefix.
#[derive(Debug, Clone)]
pub(super) struct Names {
    /// `PREFIX:v1:`, of characters that mean nothing in a pattern.
    base: String,
}

impl Names {
    pub(super) fn new(prefix: &str, codec: &Codec) -> Self {
        let format = Codec::FORMAT;
        let plain = |line: &&str| line.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let base = match codec.lines().next().filter(plain) {
            Some(FIRST_LINE) => format!("{prefix}:v{format}:"),
            Some(line) => format!("{prefix}:v{format}-{line}:"),
            None => format!("{prefix}:v{format}-other:"),
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

    /// The pattern of all entries.
    pub(super) fn entries(&self) -> String {
        format!("{}{{*}}", self.base)
    }

    /// The pattern of all entries of a namespace.
    pub(super) fn entries_of(&self, namespace: &Namespace) -> String {
        format!("{}{{{namespace}:*}}", self.base)
    }

    /// The pattern of all there is of a namespace.
    pub(super) fn all_of(&self, namespace: &Namespace) -> String {
        format!("{}{{{namespace}:*", self.base)
    }

    /// The pattern of all there is.
    pub(super) fn all(&self) -> String {
        format!("{}{{*", self.base)
    }

    /// Whose name it is; of an entry, a fence or a lease.
    pub(super) fn parse(&self, name: &[u8]) -> Option<(Namespace, Key)> {
        let name = std::str::from_utf8(name).ok()?;
        let (inside, _) = name
            .strip_prefix(&self.base)?
            .strip_prefix('{')?
            .split_once('}')?;
        let (namespace, key) = inside.split_once(':')?;
        Some((namespace.parse().ok()?, Key::parse(key)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_whose_they_are() {
        let names = Names::new("app", &Codec::new("0.1.7"));
        let (namespace, key) = (Namespace::of(["a"]), Key::new("x", "y", "{z}*[?]\\"));
        let entry = names.entry(&namespace, &key);
        assert_eq!(
            entry,
            format!("app:v1:{{{namespace}:x:y:%7Bz%7D%2A%5B%3F%5D%5C}}")
        );
        for name in [
            entry,
            names.fence(&namespace, &key),
            names.lease(&namespace, &key),
        ] {
            assert_eq!(names.parse(name.as_bytes()), Some((namespace, key.clone())));
        }
        for strange in [
            "app:v1:changes",
            "app:v1:{}",
            "app:v1:{abc:x}",
            "other",
            "app:v2:{",
        ] {
            assert_eq!(names.parse(strange.as_bytes()), None, "{strange}");
        }
        assert_eq!(
            Names::new("app", &Codec::new("0.2.0")).channel(),
            "app:v1-0.2:changes"
        );
    }
}
