//! Bytes as hexadecimal digits.

/// Two lower-case digits for each byte.
pub(crate) fn lower(bytes: &[u8]) -> String {
    let mut text = vec![0; 2 * bytes.len()];
    let (pairs, _) = text.as_chunks_mut();
    for (pair, byte) in pairs.iter_mut().zip(bytes) {
        *pair = digits(*byte, b'a');
    }
    String::from_utf8(text).unwrap_or_default()
}

/// Two upper-case digits, at the end of `text`.
pub(crate) fn push_upper(byte: u8, text: &mut String) {
    text.extend(digits(byte, b'A').map(char::from));
}

/// The digits of a byte; those after `9` begin with `ten`.
fn digits(byte: u8, ten: u8) -> [u8; 2] {
    let digit = |of: u8| of + if of < 10 { b'0' } else { ten - 10 };
    [digit(byte >> 4), digit(byte & 15)]
}

/// Whether all of it is lower-case digits.
pub(crate) fn is_lower(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_two_digits() {
        for byte in 0..=u8::MAX {
            let mut upper = String::new();
            push_upper(byte, &mut upper);
            assert_eq!(upper, format!("{byte:02X}"));
            assert_eq!(lower(&[byte]), format!("{byte:02x}"));
            assert!(is_lower(&lower(&[byte])));
        }
        assert!(!is_lower("0A") && !is_lower("+1") && !is_lower("é"));
    }
}
