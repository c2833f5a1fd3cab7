//! Named sets of regions for [`Policy::Within`](crate::Policy::Within).
//!
//! A set lists the AWS regions inside a border. Use it where data must not leave that border:
//!
//! ```
//! # #[cfg(feature = "bundle")] {
//! use bedrock_catalog_data::{Catalog, Policy, models, residency};
//!
//! let route = Catalog::bundled().route(
//!     models::ANTHROPIC_CLAUDE_SONNET_4_6,
//!     "eu-central-1",
//!     Policy::Within(residency::EU),
//! )?;
//! assert!(route.destinations().are_within(residency::EU));
//! # }
//! # Ok::<(), bedrock_catalog_data::QueryError>(())
//! ```
//!
//! **`eu-*` is not the European Union.** The pattern also matches London (`eu-west-2`, United Kingdom)
//! and Zürich (`eu-central-2`, Switzerland); `us-*` also matches AWS GovCloud.
//!
//! The sets include regions without Bedrock. They change with releases of this crate only.

/// The European Union: AWS regions in its member states.
///
/// Frankfurt, Stockholm, Milan, Spain, Ireland and Paris. London (`eu-west-2`) and Zürich
/// (`eu-central-2`) are not in it. The European Sovereign Cloud is a partition of its own.
pub const EU: &[&str] = &[
    "eu-central-1",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-3",
];

/// The European Economic Area: the EU, Iceland, Liechtenstein and Norway.
///
/// AWS has no region in the latter three, so the regions are those of [`EU`].
pub const EEA: &[&str] = EU;

/// The United Kingdom: London.
pub const UK: &[&str] = &["eu-west-2"];

/// Switzerland: Zürich.
pub const SWITZERLAND: &[&str] = &["eu-central-2"];

/// The United States, AWS GovCloud (US) included. Routes never cross from one partition to another.
pub const US: &[&str] = &[
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
];

/// Canada: Montréal and Calgary.
pub const CANADA: &[&str] = &["ca-central-1", "ca-west-1"];

/// Japan: Tokyo and Osaka.
pub const JAPAN: &[&str] = &["ap-northeast-1", "ap-northeast-3"];

/// Australia: Sydney and Melbourne.
pub const AUSTRALIA: &[&str] = &["ap-southeast-2", "ap-southeast-4"];

/// India: Mumbai and Hyderabad.
pub const INDIA: &[&str] = &["ap-south-1", "ap-south-2"];

/// Every set with its name, sorted.
const SETS: &[(&str, &[&str])] = &[
    ("AUSTRALIA", AUSTRALIA),
    ("CANADA", CANADA),
    ("EEA", EEA),
    ("EU", EU),
    ("INDIA", INDIA),
    ("JAPAN", JAPAN),
    ("SWITZERLAND", SWITZERLAND),
    ("UK", UK),
    ("US", US),
];

/// The set with this name, in upper or lower case.
///
/// ```
/// use bedrock_catalog_data::residency;
///
/// assert_eq!(residency::by_name("eu"), Some(residency::EU));
/// assert_eq!(residency::by_name("eu-*"), None);
/// ```
pub fn by_name(name: &str) -> Option<&'static [&'static str]> {
    let mut sets = SETS.iter();
    let &(_, regions) = sets.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    Some(regions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partition;

    #[test]
    fn sets_are_sorted_unique_and_of_known_regions() {
        assert!(SETS.is_sorted());
        for (name, regions) in SETS {
            assert!(regions.array_windows().all(|[a, b]| a < b), "{name}");
            let mut regions = regions.iter();
            assert!(regions.all(|id| partition::regions().any(|known| known == *id)));
        }
    }

    #[test]
    fn no_set_but_the_eea_shares_a_region_with_another() {
        let others = SETS.iter().filter(|(name, _)| *name != "EEA");
        let mut all: alloc::vec::Vec<_> = others.flat_map(|(_, regions)| *regions).collect();
        all.sort_unstable();
        assert!(all.array_windows().all(|[a, b]| a != b));
    }
}
