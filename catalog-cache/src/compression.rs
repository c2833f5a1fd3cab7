//! lz4, bounded in both directions. This file may not know what it compresses.

/// The compressed bytes, or `None` where compressing does not pay.
pub(super) fn compress(plain: &[u8]) -> Option<Vec<u8>> {
    let packed = lz4_flex::block::compress(plain);
    (packed.len() < plain.len()).then_some(packed)
}

/// The plain bytes, or `None` where they are not exactly `length` long. The caller bounds `length`,
/// which is all that is allocated.
pub(super) fn decompress(packed: &[u8], length: usize) -> Option<Vec<u8>> {
    // lz4 cannot expand beyond 255 times; a larger claim is a lie and allocates nothing.
    if length > packed.len().saturating_mul(255) {
        return None;
    }
    let mut plain = vec![0; length];
    let filled = lz4_flex::block::decompress_into(packed, &mut plain).ok()?;
    (filled == length).then_some(plain)
}
