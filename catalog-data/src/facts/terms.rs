//! The terms of facts as open enums: a term that this version does not know is kept unchanged.

use alloc::borrow::Cow;
use core::cmp::Ordering;
use core::convert::Infallible;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;

use crate::enums::{OpenEnum, open_enum};

open_enum! {
    /// Something that a model can or cannot do.
    ///
    /// ```
    /// use bedrock_catalog_data::facts::Capability;
    ///
    /// assert_eq!(Capability::from("prompt_caching"), Capability::PromptCaching);
    /// ```
    Capability {
        /// Batch inference.
        Batch = "batch",
        /// Tools that operate a computer.
        ComputerUse = "computer_use",
        /// Documents, such as PDF, as input.
        Documents = "documents",
        /// Several tool calls in one response.
        ParallelTools = "parallel_tools",
        /// A cached beginning of the prompt.
        PromptCaching = "prompt_caching",
        /// Reasoning before the answer.
        Reasoning = "reasoning",
        /// Output that follows a given schema, enforced by the service.
        StructuredOutput = "structured_output",
        /// A request can name the tool to call.
        ToolChoice = "tool_choice",
        /// Tools, also called function calling.
        Tools = "tools",
        /// Images as input.
        Vision = "vision",
        /// Search on the web.
        WebSearch = "web_search",
    }
}

impl Capability {
    /// The names of all capabilities that this version knows, sorted.
    pub const NAMES: &'static [&'static str] = Self::KNOWN;
}

open_enum! {
    /// An API that serves a model.
    Api {
        /// The chat completions of OpenAI.
        ChatCompletions = "chat_completions",
        /// Converse and ConverseStream.
        Converse = "converse",
        /// InvokeModel and InvokeModelWithResponseStream.
        Invoke = "invoke",
        /// The messages of Anthropic.
        Messages = "messages",
        /// The responses of OpenAI.
        Responses = "responses",
    }
}

open_enum! {
    /// A level of effort that a request for reasoning can name.
    ReasoningLevel {
        /// No reasoning.
        None = "none",
        /// The least effort.
        Minimal = "minimal",
        /// Low effort.
        Low = "low",
        /// Medium effort.
        Medium = "medium",
        /// High effort.
        High = "high",
        /// More than high.
        XHigh = "xhigh",
        /// The most effort.
        Max = "max",
    }
}

open_enum! {
    /// A service tier, which decides the price.
    Tier {
        /// The default tier.
        Standard = "standard",
        /// Batch inference.
        Batch = "batch",
        /// Cheaper, with longer waits.
        Flex = "flex",
        /// Dearer, with shorter waits.
        Priority = "priority",
    }
}

open_enum! {
    /// The thing that a price is for.
    PriceKind {
        /// Input, not from the cache.
        Input = "input",
        /// Output.
        Output = "output",
        /// Input that is read from the cache.
        CacheRead = "cache_read",
        /// Input that is written to the cache.
        CacheWrite = "cache_write",
        /// Input that is written to the cache for an hour.
        CacheWrite1h = "cache_write_1h",
        /// Audio as input.
        InputAudio = "input_audio",
        /// Images as input.
        InputImage = "input_image",
        /// Video as input.
        InputVideo = "input_video",
        /// Audio as output.
        OutputAudio = "output_audio",
        /// Images as output.
        OutputImage = "output_image",
        /// A query, such as a reranking.
        Query = "query",
    }
}

open_enum! {
    /// The unit of a price.
    PriceUnit {
        /// A million tokens.
        MillionTokens = "million_tokens",
        /// An image.
        Image = "image",
        /// A second of audio or video.
        Second = "second",
        /// A query.
        Query = "query",
    }
}

open_enum! {
    /// The thing that a quota limits.
    QuotaMetric {
        /// Requests at the same time.
        Concurrent = "concurrent",
        /// Requests per minute.
        RequestsPerMinute = "rpm",
        /// Tokens per day.
        TokensPerDay = "tpd",
        /// Tokens per minute.
        TokensPerMinute = "tpm",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn unknown_terms_are_kept() {
        assert_eq!(Tier::from("ultrafast").to_string(), "ultrafast");
        assert_eq!(Tier::from("batch"), Tier::Batch);
        assert_eq!(QuotaMetric::TokensPerDay.as_str(), "tpd");
    }
}
