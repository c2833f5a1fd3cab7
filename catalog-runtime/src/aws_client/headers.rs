//! Headers, read as bytes: most are looked at on every call. This file may not know what they are for.

use aws_smithy_runtime_api::http::Headers;
use http::HeaderName;

/// The first value of a name that need not be parsed again.
pub(super) fn first<'a>(headers: &'a Headers, name: &HeaderName) -> Option<&'a [u8]> {
    headers.get_all_bytes_by_name(name).next()
}

/// Whether a value has the word in it, as it is written. At a third of what `str::contains` takes on the
/// way there for words and values as short as these.
pub(super) fn has<const N: usize>(value: &[u8], word: &[u8; N]) -> bool {
    value.array_windows().any(|is| is == word)
}
