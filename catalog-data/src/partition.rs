//! The partitions of AWS: which one a region belongs to, and the regions known to this version.
//!
//! Source: `partitions.json` of botocore. A region that is missing here is still usable, because the
//! regions of the catalog count as known too.

struct Partition {
    name: &'static str,
    /// The beginnings of its region ids.
    prefixes: &'static [&'static str],
    /// The regions where Bedrock's control plane answers, sorted.
    bedrock: &'static [&'static str],
    /// The other regions.
    others: &'static [&'static str],
}

/// The first partition with a matching prefix is the right one: `us-gov-` comes before `us-`.
const PARTITIONS: &[Partition] = &[
    Partition {
        name: "aws-us-gov",
        prefixes: &["us-gov-"],
        bedrock: &["us-gov-east-1", "us-gov-west-1"],
        others: &[],
    },
    Partition {
        name: "aws-cn",
        prefixes: &["cn-"],
        bedrock: &[],
        others: &["cn-north-1", "cn-northwest-1"],
    },
    Partition {
        name: "aws-eusc",
        prefixes: &["eusc-"],
        bedrock: &[],
        others: &["eusc-de-east-1"],
    },
    Partition {
        name: "aws-iso",
        prefixes: &["us-iso-"],
        bedrock: &[],
        others: &["us-iso-east-1", "us-iso-west-1"],
    },
    Partition {
        name: "aws-iso-b",
        prefixes: &["us-isob-"],
        bedrock: &[],
        others: &["us-isob-east-1", "us-isob-west-1"],
    },
    Partition {
        name: "aws-iso-e",
        prefixes: &["eu-isoe-"],
        bedrock: &[],
        others: &["eu-isoe-west-1"],
    },
    Partition {
        name: "aws-iso-f",
        prefixes: &["us-isof-"],
        bedrock: &[],
        others: &["us-isof-east-1", "us-isof-south-1"],
    },
    Partition {
        name: "aws",
        prefixes: &[
            "af-", "ap-", "ca-", "eu-", "il-", "me-", "mx-", "sa-", "us-",
        ],
        bedrock: &[
            "af-south-1",
            "ap-east-2",
            "ap-northeast-1",
            "ap-northeast-2",
            "ap-northeast-3",
            "ap-south-1",
            "ap-south-2",
            "ap-southeast-1",
            "ap-southeast-2",
            "ap-southeast-3",
            "ap-southeast-4",
            "ap-southeast-5",
            "ap-southeast-6",
            "ap-southeast-7",
            "ca-central-1",
            "ca-west-1",
            "eu-central-1",
            "eu-central-2",
            "eu-north-1",
            "eu-south-1",
            "eu-south-2",
            "eu-west-1",
            "eu-west-2",
            "eu-west-3",
            "il-central-1",
            "mx-central-1",
            "sa-east-1",
            "us-east-1",
            "us-east-2",
            "us-west-1",
            "us-west-2",
        ],
        others: &["ap-east-1", "me-central-1", "me-south-1"],
    },
];

/// The partition of a region id, by the beginning of the id: also of a region that this version does not know.
///
/// ```
/// use bedrock_catalog_data::partition_of;
///
/// assert_eq!(partition_of("us-gov-west-1"), Some("aws-us-gov"));
/// assert_eq!(partition_of("moon-base-1"), None);
/// ```
#[must_use]
pub fn partition_of(region: &str) -> Option<&'static str> {
    let begins = |partition: &&Partition| {
        let mut prefixes = partition.prefixes.iter();
        prefixes.any(|prefix| region.starts_with(prefix))
    };
    Some(PARTITIONS.iter().find(begins)?.name)
}

/// The regions of a partition where Bedrock's control plane answers, sorted; none where this version knows none.
///
/// ```
/// use bedrock_catalog_data::bedrock_regions;
///
/// assert_eq!(bedrock_regions("aws").len(), 31);
/// assert!(bedrock_regions("aws-nowhere").is_empty());
/// ```
#[must_use]
pub fn bedrock_regions(partition: &str) -> &'static [&'static str] {
    let known = PARTITIONS.iter().find(|known| known.name == partition);
    known.map_or(&[], |known| known.bedrock)
}

/// The regions of all partitions.
pub(crate) fn regions<'a>() -> impl Iterator<Item = &'a str> {
    let all = |partition: &'a Partition| partition.bedrock.iter().chain(partition.others);
    PARTITIONS.iter().flat_map(all).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_has_the_prefix_of_its_partition_only() {
        for partition in PARTITIONS {
            assert!(partition.bedrock.is_sorted());
            for region in partition.bedrock.iter().chain(partition.others) {
                assert_eq!(partition_of(region), Some(partition.name), "{region}");
            }
        }
    }

    #[cfg(feature = "bundle")]
    #[test]
    fn no_region_of_the_bundle_is_attributed_to_another_partition() {
        let catalog = crate::Catalog::bundled();
        for id in catalog.known_regions() {
            assert!(
                partition_of(id).is_none_or(|name| name == catalog.partition()),
                "{id}"
            );
        }
    }
}
