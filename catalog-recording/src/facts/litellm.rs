//! The price map of LiteLLM: prices, limits and flags by id, with the geography or region before it.

use std::collections::{BTreeMap, BTreeSet};

use bedrock_catalog_data::Date;
use bedrock_catalog_data::facts::{
    AmountEntry, Capability, Decimal, PriceKind, PriceUnit, ReasoningLevel, Tier,
};
use serde_json::value::RawValue;

use super::input::{FactsInput, RawMembers, entries, invalid, is_id, is_region};
use crate::error::RecordingError;

/// Where the values of an entry hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Under the id itself, which can begin with a geography.
    Plain,
    /// In one region.
    Region(String),
    /// On bedrock-mantle.
    Mantle,
    /// On bedrock-mantle of one region.
    MantleRegion(String),
}

/// The prices of an entry by tier.
pub(super) type Prices = BTreeMap<Tier, Vec<AmountEntry>>;

/// An entry.
#[derive(Debug, Clone, Default)]
pub(super) struct Entry {
    pub(super) max_input_tokens: Option<u32>,
    pub(super) max_output_tokens: Option<u32>,
    pub(super) prompt_cache_min_tokens: Option<u32>,
    pub(super) capabilities: BTreeMap<Capability, bool>,
    pub(super) reasoning_levels: Option<Vec<ReasoningLevel>>,
    pub(super) end_of_life: Option<Date>,
    pub(super) successor: Option<String>,
    /// The path on bedrock-mantle.
    pub(super) path: Option<&'static str>,
    pub(super) prices: Prices,
}

/// The price map.
#[derive(Debug, Default)]
pub(super) struct PriceMap {
    pub(super) entries: BTreeMap<(String, Place), Entry>,
    /// The keys of entries that say nothing of an id: commitments, image sizes, other services.
    pub(super) skipped: Vec<String>,
    /// Members with a cost that this version does not understand.
    pub(super) unread: BTreeSet<String>,
}

impl PriceMap {
    pub(super) fn get(&self, id: &str, place: Place) -> Option<&Entry> {
        self.entries.get(&(id.to_owned(), place))
    }

    /// The entries of an id in all places, the plain one first.
    pub(super) fn all<'m>(&'m self, id: &'m str) -> impl Iterator<Item = (&'m Place, &'m Entry)> {
        let first = (id.to_owned(), Place::Plain);
        let from = self.entries.range(first..);
        from.take_while(move |((key, _), _)| key == id)
            .map(|((_, place), entry)| (place, entry))
    }
}

/// The place and the id of a key; `None` for keys that are no id in a place.
fn place(key: &str) -> Option<(String, Place)> {
    let parts: Vec<&str> = key.split('/').collect();
    let (id, place) = match parts.as_slice() {
        [id] | ["bedrock", id] => (*id, Place::Plain),
        ["bedrock", region, id] if is_region(region) => (*id, Place::Region((*region).to_owned())),
        ["bedrock_mantle", id] => (*id, Place::Mantle),
        ["bedrock_mantle", region, id] if is_region(region) => {
            (*id, Place::MantleRegion((*region).to_owned()))
        }
        _ => return None,
    };
    is_id(id).then(|| (id.to_owned(), place))
}

/// Reads the price map.
pub(super) fn read(input: &FactsInput<'_>) -> Result<PriceMap, RecordingError> {
    let raw: BTreeMap<String, RawMembers<'_>> = entries("litellm", input)?;
    let mut map = PriceMap::default();
    for (key, members) in &raw {
        let Some(place) = place(key) else {
            map.skipped.push(key.clone());
            continue;
        };
        // `bedrock/ID` is another way to write `ID`, whose entry counts.
        if key.starts_with("bedrock/") && place.1 == Place::Plain && raw.contains_key(&place.0) {
            map.skipped.push(key.clone());
            continue;
        }
        let members = Members {
            key,
            members: &members.0,
        };
        let entry = members.entry(&mut map.unread)?;
        map.entries.insert(place, entry);
    }
    Ok(map)
}

/// The members of an entry as their JSON text.
struct Members<'m> {
    key: &'m str,
    members: &'m BTreeMap<String, &'m RawValue>,
}

impl Members<'_> {
    fn wrong(&self, member: &str, expected: &str) -> RecordingError {
        invalid(format!(
            "the input litellm is wrong: {member} of {:?} is no {expected}",
            self.key
        ))
    }

    fn number(&self, member: &str) -> Result<Option<u32>, RecordingError> {
        let Some(raw) = self.members.get(member) else {
            return Ok(None);
        };
        let number: Option<Decimal> = raw.get().parse().ok();
        let whole = number.filter(|number| number.scale() == 0);
        let small = whole.and_then(|whole| u32::try_from(whole.mantissa()).ok());
        match small {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(member, "whole number of tokens")),
        }
    }

    fn text(&self, member: &str) -> Result<Option<String>, RecordingError> {
        let Some(raw) = self.members.get(member) else {
            return Ok(None);
        };
        let text = serde_json::from_str(raw.get());
        text.map(Some).map_err(|_| self.wrong(member, "text"))
    }

    fn flag(&self, member: &str) -> Result<Option<bool>, RecordingError> {
        match self.members.get(member).map(|raw| raw.get()) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(self.wrong(member, "truth value")),
        }
    }

    fn entry(&self, unread: &mut BTreeSet<String>) -> Result<Entry, RecordingError> {
        let mut entry = Entry {
            max_input_tokens: self.number("max_input_tokens")?,
            max_output_tokens: self.number("max_output_tokens")?,
            prompt_cache_min_tokens: self.number("prompt_cache_min_tokens")?,
            capabilities: self.capabilities()?,
            prices: self.prices(unread)?,
            ..Entry::default()
        };
        let mode = self.text("mode")?.unwrap_or_default();
        if mode.starts_with("image") {
            // A length that LiteLLM writes for every image model.
            entry.max_input_tokens = None;
        }
        if entry.max_output_tokens == entry.max_input_tokens {
            // The length of the input repeated: no limit of the output is known.
            entry.max_output_tokens = None;
        }
        if entry.capabilities.get(&Capability::Reasoning) == Some(&true) {
            entry.reasoning_levels = self.reasoning_levels()?;
        }
        // A date without its page is not AWS's.
        let page = self.text("deprecation_source")?.unwrap_or_default();
        if page.starts_with("https://docs.aws.amazon.com/") {
            let end = self.text("deprecation_date")?;
            let end = end.map(|end| end.parse::<Date>()).transpose();
            entry.end_of_life = end.map_err(|_| self.wrong("deprecation_date", "date"))?;
            let successor = self.text("successor_model")?;
            // The successor is written in the form of the key.
            let successor = successor.and_then(|key| place(&key));
            entry.successor = successor.map(|(id, _)| id);
        }
        let stated = self.members.contains_key("supported_endpoints");
        entry.path = match self.flag("use_openai_responses_path")? {
            Some(true) => Some("/openai/v1"),
            _ if stated => Some("/v1"),
            _ => None,
        };
        Ok(entry)
    }

    fn capabilities(&self) -> Result<BTreeMap<Capability, bool>, RecordingError> {
        // Of several members the first that is there counts.
        let members: [(Capability, &[&str]); 9] = [
            (Capability::ComputerUse, &["supports_computer_use"]),
            (Capability::Documents, &["supports_pdf_input"]),
            (
                Capability::ParallelTools,
                &[
                    "supports_parallel_function_calling",
                    "supports_parallel_tool_use_config",
                ],
            ),
            (Capability::PromptCaching, &["supports_prompt_caching"]),
            (Capability::Reasoning, &["supports_reasoning"]),
            // `supports_response_schema` says what LiteLLM emulates.
            (
                Capability::StructuredOutput,
                &[
                    "supports_bedrock_native_structured_output",
                    "supports_native_structured_output",
                    "supports_bedrock_runtime_chat_completions_response_format",
                ],
            ),
            (Capability::ToolChoice, &["supports_tool_choice"]),
            (Capability::Tools, &["supports_function_calling"]),
            (Capability::WebSearch, &["supports_web_search"]),
        ];
        let mut known = BTreeMap::new();
        for (capability, names) in members {
            for name in names {
                if let Some(flag) = self.flag(name)? {
                    known.entry(capability.clone()).or_insert(flag);
                }
            }
        }
        let vision = [
            "supports_vision",
            "supports_embedding_image_input",
            "supports_image_input",
        ];
        for name in vision {
            if let Some(flag) = self.flag(name)? {
                known.entry(Capability::Vision).or_insert(flag);
            }
        }
        Ok(known)
    }

    /// The levels of effort. LiteLLM states the levels beside low, medium and high, and on Bedrock a
    /// ceiling.
    fn reasoning_levels(&self) -> Result<Option<Vec<ReasoningLevel>>, RecordingError> {
        use ReasoningLevel as Level;
        if let Some(raw) = self.members.get("reasoning_effort_levels") {
            let names: Result<Vec<String>, _> = serde_json::from_str(raw.get());
            let names =
                names.map_err(|_| self.wrong("reasoning_effort_levels", "list of texts"))?;
            let mut levels: Vec<Level> = names.iter().map(|name| Level::from(&**name)).collect();
            levels.sort_unstable();
            levels.dedup();
            return Ok(Some(levels));
        }
        let beside = [
            (Level::None, self.flag("supports_none_reasoning_effort")?),
            (
                Level::Minimal,
                self.flag("supports_minimal_reasoning_effort")?,
            ),
            (Level::XHigh, self.flag("supports_xhigh_reasoning_effort")?),
            (Level::Max, self.flag("supports_max_reasoning_effort")?),
        ];
        let ceiling = self.text("bedrock_output_config_effort_ceiling")?;
        if ceiling.is_none() && beside.iter().all(|(_, stated)| stated.is_none()) {
            return Ok(None);
        }
        let mut levels = vec![Level::Low, Level::Medium, Level::High];
        let stated = beside
            .into_iter()
            .filter(|(_, stated)| *stated == Some(true));
        levels.extend(stated.map(|(level, _)| level));
        match ceiling.as_deref() {
            Some("high") => levels.retain(|level| *level != Level::XHigh && *level != Level::Max),
            Some("xhigh") => levels.retain(|level| *level != Level::Max),
            _ => {}
        }
        levels.sort_unstable();
        Ok(Some(levels))
    }

    fn prices(&self, unread: &mut BTreeSet<String>) -> Result<Prices, RecordingError> {
        let mut prices = Prices::new();
        for (member, raw) in self.members {
            if !member.contains("cost") || NOT_OF_ROUTES.contains(&member.as_str()) {
                continue;
            }
            let Some((tier, kind, unit, above)) = price_member(member) else {
                unread.insert(member.clone());
                continue;
            };
            let amount: Decimal = raw.get().parse().map_err(|_| self.wrong(member, "price"))?;
            // Zero stands for what is not charged, and for what LiteLLM does not know.
            if amount.is_zero() {
                continue;
            }
            let amount = match unit {
                PriceUnit::MillionTokens => amount.shifted(6),
                _ => Some(amount),
            };
            let amount = amount.filter(|amount| u32::try_from(amount.mantissa()).is_ok());
            let amount = amount.ok_or_else(|| self.wrong(member, "price of this size"))?;
            let mut price = AmountEntry::new(kind, unit, amount);
            price.above = above;
            prices.entry(tier).or_default().push(price);
        }
        for list in prices.values_mut() {
            list.sort_unstable();
        }
        Ok(prices)
    }
}

/// Costs that are not of a request on a route: commitments, searches, guardrails.
const NOT_OF_ROUTES: &[&str] = &[
    "cost_per_second",
    "guardrail_cost_per_unit",
    "input_cost_per_second",
    "search_context_cost_per_query",
];

/// The prices that members begin with, longer names first.
const PRICES: &[(&str, PriceKind, PriceUnit)] = &[
    (
        "cache_creation_input_token_cost_above_1hr",
        PriceKind::CacheWrite1h,
        PriceUnit::MillionTokens,
    ),
    (
        "cache_creation_input_token_cost",
        PriceKind::CacheWrite,
        PriceUnit::MillionTokens,
    ),
    (
        "cache_read_input_token_cost",
        PriceKind::CacheRead,
        PriceUnit::MillionTokens,
    ),
    (
        "input_cost_per_audio_per_second",
        PriceKind::InputAudio,
        PriceUnit::Second,
    ),
    (
        "input_cost_per_audio_token",
        PriceKind::InputAudio,
        PriceUnit::MillionTokens,
    ),
    (
        "input_cost_per_image_token",
        PriceKind::InputImage,
        PriceUnit::MillionTokens,
    ),
    (
        "input_cost_per_image",
        PriceKind::InputImage,
        PriceUnit::Image,
    ),
    ("input_cost_per_query", PriceKind::Query, PriceUnit::Query),
    (
        "input_cost_per_token",
        PriceKind::Input,
        PriceUnit::MillionTokens,
    ),
    (
        "input_cost_per_video_per_second",
        PriceKind::InputVideo,
        PriceUnit::Second,
    ),
    (
        "output_cost_per_audio_token",
        PriceKind::OutputAudio,
        PriceUnit::MillionTokens,
    ),
    (
        "output_cost_per_image",
        PriceKind::OutputImage,
        PriceUnit::Image,
    ),
    (
        "output_cost_per_token",
        PriceKind::Output,
        PriceUnit::MillionTokens,
    ),
];

/// Tier, kind, unit and threshold of a member such as `input_cost_per_token_above_200k_tokens_batches`.
fn price_member(member: &str) -> Option<(Tier, PriceKind, PriceUnit, Option<u32>)> {
    let mut known = PRICES.iter();
    let (rest, kind, unit) =
        known.find_map(|(name, kind, unit)| Some((member.strip_prefix(name)?, kind, unit)))?;
    let (above, rest) = match rest.strip_prefix("_above_") {
        Some(rest) => {
            let (thousands, rest) = rest.split_once("k_tokens")?;
            let thousands: u32 = thousands.parse().ok()?;
            (Some(thousands.checked_mul(1000)?), rest)
        }
        None => (None, rest),
    };
    let tier = match rest.strip_prefix('_') {
        None if rest.is_empty() => Tier::Standard,
        Some("batches") => Tier::Batch,
        Some(tier) if tier.bytes().all(|byte| byte.is_ascii_lowercase()) => Tier::from(tier),
        _ => return None,
    };
    Some((tier, kind.clone(), unit.clone(), above))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_name_an_id_and_a_place() {
        let plain = |id: &str| Some((id.to_owned(), Place::Plain));
        assert_eq!(place("us.a.b-v1:0"), plain("us.a.b-v1:0"));
        assert_eq!(place("bedrock/a.b"), plain("a.b"));
        let region = Place::Region("eu-west-1".to_owned());
        assert_eq!(
            place("bedrock/eu-west-1/a.b"),
            Some(("a.b".to_owned(), region))
        );
        assert_eq!(
            place("bedrock_mantle/a.b"),
            Some(("a.b".to_owned(), Place::Mantle))
        );
        for key in [
            "bedrock/*/1-month-commitment/a.b",
            "bedrock/eu-west-1/6-month-commitment/a.b",
            "bedrock/invoke/a.b",
            "bedrock/guardrails",
            "1024-x-1024/50-steps/a.b",
            "claude-sonnet-4-5-20250929-v1:0",
        ] {
            assert_eq!(place(key), None, "{key}");
        }
    }

    #[test]
    fn members_name_tier_kind_unit_and_threshold() {
        use PriceUnit::{Image, MillionTokens};
        for (member, expected) in [
            (
                "input_cost_per_token",
                (Tier::Standard, PriceKind::Input, MillionTokens, None),
            ),
            (
                "output_cost_per_token_above_200k_tokens",
                (
                    Tier::Standard,
                    PriceKind::Output,
                    MillionTokens,
                    Some(200_000),
                ),
            ),
            (
                "cache_creation_input_token_cost_above_1hr_above_200k_tokens",
                (
                    Tier::Standard,
                    PriceKind::CacheWrite1h,
                    MillionTokens,
                    Some(200_000),
                ),
            ),
            (
                "cache_read_input_token_cost_above_272k_tokens_priority",
                (
                    Tier::Priority,
                    PriceKind::CacheRead,
                    MillionTokens,
                    Some(272_000),
                ),
            ),
            (
                "input_cost_per_token_batches",
                (Tier::Batch, PriceKind::Input, MillionTokens, None),
            ),
            (
                "input_cost_per_token_ultrafast",
                ("ultrafast".into(), PriceKind::Input, MillionTokens, None),
            ),
            (
                "input_cost_per_image",
                (Tier::Standard, PriceKind::InputImage, Image, None),
            ),
            (
                "input_cost_per_image_token",
                (Tier::Standard, PriceKind::InputImage, MillionTokens, None),
            ),
        ] {
            assert_eq!(price_member(member), Some(expected), "{member}");
        }
        for member in [
            "cost_per_second",
            "input_cost_per_token_above_tokens",
            "input_cost_per_token_2x",
            "output_cost",
        ] {
            assert_eq!(price_member(member), None, "{member}");
        }
    }
}
