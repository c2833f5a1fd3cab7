//! The shape of a server's replies, followed byte by byte before anybody stores them, so that no
//! server can make this process take more memory than an entry may have. This file may not know what
//! a reply says.
//!
//! The `redis` crate collects a reply in memory until it is whole, however long it says it is.

use std::io;

/// The longest line: a status, an error, a number.
const MAX_LINE: usize = 64 << 10;
/// The most elements of one list; each takes memory before it is there.
const MAX_ELEMENTS: u64 = 64 << 10;

/// Follows the replies of one connection.
#[derive(Debug)]
pub(super) struct Frames {
    /// The bytes one reply may have in all.
    max: u64,
    /// What this one has had so far.
    seen: u64,
    /// How many elements are still to come until the reply is whole.
    open: u64,
    now: Now,
}

#[derive(Debug)]
enum Now {
    /// The next byte is the first of an element.
    Kind,
    /// In the line after it.
    Line {
        kind: u8,
        length: usize,
        text: Number,
    },
    /// In so many bytes of text, the line end included.
    Text { left: u64 },
}

/// A number being read; `None` once it is none.
#[derive(Debug, Clone, Copy)]
struct Number(Option<u64>, bool);

impl Number {
    fn push(&mut self, byte: u8) {
        let digit = u64::from(byte.wrapping_sub(b'0'));
        match (byte, self.0) {
            (b'-', Some(0)) if !self.1 => self.1 = true,
            (b'\r', _) => {}
            (b'0'..=b'9', Some(so_far)) => {
                self.0 = so_far.checked_mul(10).and_then(|n| n.checked_add(digit));
            }
            _ => self.0 = None,
        }
    }
}

impl Frames {
    /// Replies of at most so many bytes.
    pub(super) fn new(max: usize) -> Self {
        Self {
            max: max as u64,
            seen: 0,
            open: 1,
            now: Now::Kind,
        }
    }

    /// Follows the next bytes, in time proportional to the lines among them.
    ///
    /// # Errors
    /// They are beyond the bounds, or no replies.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while let Some((first, rest)) = bytes.split_first() {
            match &mut self.now {
                Now::Kind => {
                    self.seen += 1;
                    self.now = Now::Line {
                        kind: *first,
                        length: 0,
                        text: Number(Some(0), false),
                    };
                    bytes = rest;
                }
                Now::Line { kind, length, text } => {
                    self.seen += 1;
                    bytes = rest;
                    *length += 1;
                    if *length > MAX_LINE {
                        return Err(refused("a line without an end"));
                    }
                    if *first == b'\n' {
                        let (kind, text) = (*kind, *text);
                        self.after_line(kind, text)?;
                    } else {
                        text.push(*first);
                    }
                }
                Now::Text { left } => {
                    let now = (*left).min(bytes.len() as u64);
                    *left -= now;
                    if *left == 0 {
                        self.element();
                    }
                    // It fits: it is at most the length.
                    bytes = bytes.get(now as usize..).unwrap_or_default();
                }
            }
            if self.seen > self.max {
                return Err(refused("a reply that is too long"));
            }
        }
        Ok(())
    }

    fn after_line(&mut self, kind: u8, Number(number, negative): Number) -> io::Result<()> {
        match kind {
            // The number may mean what it likes.
            b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => self.element(),
            // Nothing, as `-1` bytes or elements.
            b'$' | b'*' if negative => self.element(),
            b'$' | b'!' | b'=' => {
                let length = number.ok_or_else(|| refused("a length that is no number"))?;
                self.seen = self.seen.saturating_add(length).saturating_add(2);
                self.now = Now::Text {
                    left: length.saturating_add(2),
                };
            }
            b'*' | b'~' | b'>' | b'%' | b'|' => {
                let count = number.ok_or_else(|| refused("a count that is no number"))?;
                if count > MAX_ELEMENTS {
                    return Err(refused("a list that is too long"));
                }
                let pairs = matches!(kind, b'%' | b'|');
                self.open += if pairs { 2 * count } else { count };
                // An attribute is followed by what it is about.
                self.open += u64::from(kind == b'|');
                self.element();
            }
            _ => return Err(refused("no reply of a Redis server")),
        }
        Ok(())
    }

    /// An element is whole.
    fn element(&mut self) {
        self.now = Now::Kind;
        self.open = self.open.saturating_sub(1);
        if self.open == 0 {
            (self.open, self.seen) = (1, 0);
        }
    }
}

fn refused(what: &'static str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the server sent {what}"),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn follow(bytes: &[u8], step: usize) -> io::Result<Frames> {
        let mut frames = Frames::new(1000);
        bytes
            .chunks(step)
            .try_for_each(|chunk| frames.follow(chunk))?;
        Ok(frames)
    }

    #[test]
    fn replies_end_where_they_end() {
        let whole: [&[u8]; 9] = [
            b"+OK\r\n",
            b"-ERR no\r\n:-7\r\n",
            b"$5\r\nhello\r\n$-1\r\n$0\r\n\r\n",
            b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n",
            b"*0\r\n*-1\r\n",
            b"%1\r\n+a\r\n+b\r\n~1\r\n,1.5\r\n_\r\n#t\r\n(123\r\n",
            b">2\r\n+message\r\n$1\r\n\r\r\n",
            b"|1\r\n+ttl\r\n:9\r\n$1\r\nv\r\n",
            b"!5\r\nERR x\r\n=7\r\ntxt:abc\r\n",
        ];
        for bytes in whole {
            for step in 1..=bytes.len() {
                let frames = follow(bytes, step).unwrap();
                assert!(matches!(frames.now, Now::Kind), "{bytes:?}");
                assert_eq!((frames.open, frames.seen), (1, 0), "{bytes:?}");
            }
        }
    }

    #[test]
    fn what_is_too_long_is_refused_before_it_comes() {
        let long: [&[u8]; 7] = [
            b"$1073741824\r\n",
            b"$18446744073709551615\r\n",
            b"$99999999999999999999999\r\n",
            b"*1000000000\r\n",
            b"*2\r\n$600\r\n",
            b"HTTP/1.1 200 OK\r\n",
            b"$abc\r\n",
        ];
        for bytes in long {
            let mut all = bytes.to_vec();
            if bytes == b"*2\r\n$600\r\n" {
                all.extend([b'x'; 600]);
                all.extend(b"\r\n$600\r\n");
            }
            assert!(
                follow(&all, 3).is_err(),
                "{}",
                String::from_utf8_lossy(bytes)
            );
        }
        let mut line = vec![b'+'];
        line.resize(MAX_LINE + 10, b'x');
        let mut frames = Frames::new(1 << 30);
        assert!(frames.follow(&line).is_err());
    }

    proptest! {
        /// However the bytes come, the answer is the same, and never a panic.
        #[test]
        fn garbage_is_followed_alike_in_any_pieces(
            bytes in proptest::collection::vec(
                prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'$'), Just(b'*'), b'0'..=b'9', any::<u8>()],
                0..300,
            ),
            step in 1..50_usize,
        ) {
            let whole = follow(&bytes, bytes.len().max(1));
            let pieces = follow(&bytes, step);
            prop_assert_eq!(whole.is_ok(), pieces.is_ok());
        }
    }
}
