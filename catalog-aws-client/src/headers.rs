//! Headers, read as bytes: some are looked at on every call. This file may not know what they are for.

use aws_smithy_runtime_api::http::Headers;

/// The first value of a name in lower case. Where there are few headers, as in an answer, this is faster than
/// to look the name up, which is parsed and hashed for that.
pub(super) fn first<'a>(headers: &'a Headers, name: &str) -> Option<&'a [u8]> {
    let mut headers = headers.iter_bytes();
    headers.find(|(is, _)| *is == name).map(|(_, value)| value)
}

/// Whether a value has the word in it, as it is written. For values that are not known to be UTF-8.
pub(super) fn has<const N: usize>(value: &[u8], word: &[u8; N]) -> bool {
    value.array_windows().any(|is| is == word)
}
