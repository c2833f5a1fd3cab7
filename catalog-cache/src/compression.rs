//! lz4, bounded in both directions.

/// The compressed bytes, or `None` where they are not smaller.
pub(crate) fn compress(plain: &[u8]) -> Option<Vec<u8>> {
    let packed = lz4_flex::block::compress(plain);
    (packed.len() < plain.len()).then_some(packed)
}

/// The plain bytes, or `None` where they are not exactly `length` long. Allocates `length` bytes, which
/// the caller bounds.
pub(crate) fn decompress(packed: &[u8], length: usize) -> Option<Vec<u8>> {
    // lz4 expands at most 255 times. A larger claim is damaged, and allocates nothing.
    if length > packed.len().saturating_mul(255) {
        return None;
    }
    let mut plain = vec![0; length];
    let filled = lz4_flex::block::decompress_into(packed, &mut plain).ok()?;
    (filled == length).then_some(plain)
}
