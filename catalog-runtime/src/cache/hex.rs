//! Bytes as hexadecimal digits. This file may not know what the bytes are.

const LOWER: &[u8; 16] = b"0123456789abcdef";
const UPPER: &[u8; 16] = b"0123456789ABCDEF";

/// Two lower-case digits for each byte.
pub(crate) fn lower(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    bytes.iter().for_each(|byte| push(*byte, LOWER, &mut text));
    text
}

/// Two upper-case digits, at the end of `text`.
pub(super) fn push_upper(byte: u8, text: &mut String) {
    push(byte, UPPER, text);
}

fn push(byte: u8, digits: &[u8; 16], text: &mut String) {
    for nibble in [byte >> 4, byte & 15] {
        if let Some(digit) = digits.get(usize::from(nibble)) {
            text.push(char::from(*digit));
        }
    }
}

/// Whether all of it is lower-case digits.
pub(super) fn is_lower(text: &str) -> bool {
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
