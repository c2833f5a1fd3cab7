//! The usage of a request, for its cost.

use super::{PriceKind, PriceUnit};

/// What a request used.
///
/// As in the answers of Converse, the tokens of the cache are not among the input tokens.
///
/// ```
/// use bedrock_catalog_data::facts::Usage;
///
/// let mut usage = Usage::new(2_000, 300);
/// usage.cache_read_tokens = 50_000;
/// assert_eq!(usage.input_length(), 52_000);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Tokens of input that are neither read from nor written to the cache.
    pub input_tokens: u64,
    /// Tokens of output.
    pub output_tokens: u64,
    /// Tokens read from the cache.
    pub cache_read_tokens: u64,
    /// Tokens written to the cache.
    pub cache_write_tokens: u64,
    /// Tokens written to the cache for an hour.
    pub cache_write_1h_tokens: u64,
    /// Images of input, where images have a price of their own.
    pub input_images: u64,
    /// Images of output.
    pub output_images: u64,
    /// Seconds of audio as input.
    pub input_audio_seconds: u64,
    /// Seconds of video as input.
    pub input_video_seconds: u64,
    /// Queries.
    pub queries: u64,
}

impl Usage {
    /// Tokens of input and output.
    pub const fn new(input_tokens: u64, output_tokens: u64) -> Self {
        Self {
            input_tokens,
            output_tokens,
            cache_read_tokens: 0,
            cache_write_tokens: 0,
            cache_write_1h_tokens: 0,
            input_images: 0,
            output_images: 0,
            input_audio_seconds: 0,
            input_video_seconds: 0,
            queries: 0,
        }
    }

    /// The length of the input in tokens, with those of the cache.
    pub const fn input_length(&self) -> u64 {
        self.input_tokens
            .saturating_add(self.cache_read_tokens)
            .saturating_add(self.cache_write_tokens)
            .saturating_add(self.cache_write_1h_tokens)
    }

    /// Each count with its kind and unit.
    pub(super) fn parts(
        &self,
    ) -> impl Iterator<Item = (&'static PriceKind, &'static PriceUnit, u64)> {
        let counts = [
            self.input_tokens,
            self.output_tokens,
            self.cache_read_tokens,
            self.cache_write_tokens,
            self.cache_write_1h_tokens,
            self.input_images,
            self.output_images,
            self.input_audio_seconds,
            self.input_video_seconds,
            self.queries,
        ];
        let parts = KINDS.iter().zip(counts);
        parts.map(|((kind, unit), count)| (kind, unit, count))
    }
}

/// The kinds and units of the counts, in the order of the fields.
static KINDS: [(PriceKind, PriceUnit); 10] = [
    (PriceKind::Input, PriceUnit::MillionTokens),
    (PriceKind::Output, PriceUnit::MillionTokens),
    (PriceKind::CacheRead, PriceUnit::MillionTokens),
    (PriceKind::CacheWrite, PriceUnit::MillionTokens),
    (PriceKind::CacheWrite1h, PriceUnit::MillionTokens),
    (PriceKind::InputImage, PriceUnit::Image),
    (PriceKind::OutputImage, PriceUnit::Image),
    (PriceKind::InputAudio, PriceUnit::Second),
    (PriceKind::InputVideo, PriceUnit::Second),
    (PriceKind::Query, PriceUnit::Query),
];
