//! Walks a JSON, XML or CBOR document: each text with the names of the members that hold it.

use std::borrow::Cow;
use std::fmt;

use minicbor::data::Type;
use minicbor::decode::Decoder;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// The deepest document that is walked; that of `serde_json`.
const DEEPEST: usize = 128;

/// The format of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Xml,
    Cbor,
}

impl Format {
    /// The format that a content type names, if it is one of these.
    pub(crate) fn of(content_type: &str) -> Option<Self> {
        let has = |word| content_type.contains(word);
        match () {
            () if has("json") => Some(Self::Json),
            () if has("html") => None,
            () if has("xml") => Some(Self::Xml),
            () if has("cbor") => Some(Self::Cbor),
            () => None,
        }
    }
}

/// The document is cut, malformed or too deep.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotWhole;

/// Visits each text and each byte string, the latter as `None`, with the path of the members around it.
/// `name` turns the name of a member into its part of the path, and may look at the part before it. Lists
/// add no part. Numbers and truth values are not visited.
pub(crate) fn walk<'a, N>(
    format: Format,
    document: &'a [u8],
    mut name: impl FnMut(Option<&N>, Cow<'a, str>) -> N,
    mut visit: impl FnMut(&[N], Option<&str>),
) -> Result<(), NotWhole> {
    let walk = Walk {
        path: &mut Vec::new(),
        name: &mut name,
        visit: &mut visit,
    };
    match format {
        Format::Json => walk.json(document),
        Format::Xml => walk.xml(document),
        Format::Cbor => walk.cbor(document),
    }
}

struct Walk<'w, 'a, N> {
    path: &'w mut Vec<N>,
    name: &'w mut dyn FnMut(Option<&N>, Cow<'a, str>) -> N,
    visit: &'w mut dyn FnMut(&[N], Option<&str>),
}

impl<'a, N> Walk<'_, 'a, N> {
    fn reborrow(&mut self) -> Walk<'_, 'a, N> {
        Walk {
            path: self.path,
            name: self.name,
            visit: self.visit,
        }
    }

    fn enter(&mut self, name: impl Into<Cow<'a, str>>) {
        let part = (self.name)(self.path.last(), name.into());
        self.path.push(part);
    }

    fn text(&mut self, text: &str) {
        (self.visit)(self.path, Some(text));
    }

    fn json(self, document: &'a [u8]) -> Result<(), NotWhole> {
        let document = std::str::from_utf8(document).map_err(|_| NotWhole)?;
        let mut json = serde_json::Deserializer::from_str(document);
        let walked = self.deserialize(&mut json).and_then(|()| json.end());
        walked.map_err(|_| NotWhole)
    }

    fn xml(mut self, document: &'a [u8]) -> Result<(), NotWhole> {
        use xmlparser::{ElementEnd, Token, Tokenizer};
        let document = std::str::from_utf8(document).map_err(|_| NotWhole)?;
        let mut open: Vec<&str> = Vec::new();
        let mut has_root = false;
        for token in Tokenizer::from(document) {
            match token.map_err(|_| NotWhole)? {
                Token::ElementStart { local, .. } => {
                    if open.len() >= DEEPEST || (open.is_empty() && has_root) {
                        return Err(NotWhole);
                    }
                    has_root = true;
                    open.push(local.as_str());
                    self.enter(local.as_str());
                }
                Token::Attribute { local, value, .. } => {
                    self.enter(local.as_str());
                    self.text(value.as_str());
                    self.path.pop();
                }
                Token::ElementEnd { end, .. } => {
                    let is_end = match end {
                        ElementEnd::Open => false,
                        ElementEnd::Empty => open.pop().is_some(),
                        ElementEnd::Close(_, local) if open.pop() == Some(local.as_str()) => true,
                        ElementEnd::Close(..) => return Err(NotWhole),
                    };
                    if is_end {
                        self.path.pop();
                    }
                }
                Token::Text { text } | Token::Cdata { text, .. } => self.text(text.trim()),
                _ => {}
            }
        }
        match has_root && open.is_empty() {
            true => Ok(()),
            false => Err(NotWhole),
        }
    }

    fn cbor(mut self, document: &'a [u8]) -> Result<(), NotWhole> {
        let mut decoder = Decoder::new(document);
        self.cbor_item(&mut decoder, DEEPEST)
            .map_err(|_| NotWhole)?;
        match decoder.position() == document.len() {
            true => Ok(()),
            false => Err(NotWhole),
        }
    }

    fn cbor_item(
        &mut self,
        decoder: &mut Decoder<'a>,
        depth: usize,
    ) -> Result<(), minicbor::decode::Error> {
        use minicbor::decode::Error;
        let Some(depth) = depth.checked_sub(1) else {
            return Err(Error::message("too deep"));
        };
        // The length of a container, or none where a break ends it.
        let goes_on = |decoder: &Decoder<'a>, left: &mut Option<u64>| match left {
            Some(0) => Ok(false),
            Some(left) => {
                *left -= 1;
                Ok(true)
            }
            None => Ok(decoder.datatype()? != Type::Break),
        };
        match decoder.datatype()? {
            Type::String => {
                let text = decoder.str()?;
                self.text(text);
            }
            Type::StringIndef => {
                let text = decoder.str_iter()?.collect::<Result<String, _>>()?;
                self.text(&text);
            }
            Type::Bytes | Type::BytesIndef => {
                decoder.skip()?;
                (self.visit)(self.path, None);
            }
            Type::Array | Type::ArrayIndef => {
                let mut left = decoder.array()?;
                let is_open = left.is_none();
                while goes_on(decoder, &mut left)? {
                    self.cbor_item(decoder, depth)?;
                }
                if is_open {
                    decoder.skip()?;
                }
            }
            Type::Map | Type::MapIndef => {
                let mut left = decoder.map()?;
                let is_open = left.is_none();
                while goes_on(decoder, &mut left)? {
                    self.enter(decoder.str()?);
                    self.cbor_item(decoder, depth)?;
                    self.path.pop();
                }
                if is_open {
                    decoder.skip()?;
                }
            }
            Type::Tag => {
                decoder.tag()?;
                self.cbor_item(decoder, depth)?;
            }
            Type::Break => return Err(Error::message("a break outside a container")),
            _ => decoder.skip()?,
        }
        Ok(())
    }
}

impl<'de, N> DeserializeSeed<'de> for Walk<'_, 'de, N> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, N> Visitor<'de> for Walk<'_, 'de, N> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(mut self, text: &str) -> Result<(), E> {
        self.text(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(self.reborrow())?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        /// Borrowed where it has no escapes.
        #[derive(Deserialize)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
        while let Some(Name(name)) = map.next_key()? {
            self.enter(name);
            map.next_value_seed(self.reborrow())?;
            self.path.pop();
        }
        Ok(())
    }
}
