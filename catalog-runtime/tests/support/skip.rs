//! Saying aloud what was skipped: the one helper of this package, for its tests inside and outside.

use std::fmt::Display;
use std::io::Write as _;

/// Says, past the test harness's capture, that a test was skipped and why.
pub(crate) fn skip(name: &str, why: impl Display) {
    let _ = writeln!(std::io::stderr(), "SKIPPED {name}: {why}");
}
