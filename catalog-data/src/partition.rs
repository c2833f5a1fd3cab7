//! The partitions of AWS: which one a region belongs to, and the regions known to this version.
//!
//! Source: `partitions.json` of botocore. A region that is missing here is still usable, because the
//! regions of the catalog count as known too.

struct Partition {
    name: &'static str,
    /// The beginnings of its region ids.
    prefixes: &'static [&'static str],
    regions: &'static [&'static str],
}

/// The first partition with a matching prefix is the right one: `us-gov-` comes before `us-`.
const PARTITIONS: &[Partition] = &[
    Partition {
        name: "aws-us-gov",
        prefixes: &["us-gov-"],
        regions: &["us-gov-east-1", "us-gov-west-1"],
    },
    Partition {
        name: "aws-cn",
        prefixes: &["cn-"],
        regions: &["cn-north-1", "cn-northwest-1"],
    },
    Partition {
        name: "aws-eusc",
        prefixes: &["eusc-"],
        regions: &["eusc-de-east-1"],
    },
    Partition {
        name: "aws-iso",
        prefixes: &["us-iso-"],
        regions: &["us-iso-east-1", "us-iso-west-1"],
    },
    Partition {
        name: "aws-iso-b",
        prefixes: &["us-isob-"],
        regions: &["us-isob-east-1", "us-isob-west-1"],
    },
    Partition {
        name: "aws-iso-e",
        prefixes: &["eu-isoe-"],
        regions: &["eu-isoe-west-1"],
    },
    Partition {
        name: "aws-iso-f",
        prefixes: &["us-isof-"],
        regions: &["us-isof-east-1", "us-isof-south-1"],
    },
    Partition {
        name: "aws",
        prefixes: &[
            "af-", "ap-", "ca-", "eu-", "il-", "me-", "mx-", "sa-", "us-",
        ],
        regions: &[
            "af-south-1",
            "ap-east-1",
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
            "me-central-1",
            "me-south-1",
            "mx-central-1",
            "sa-east-1",
            "us-east-1",
            "us-east-2",
            "us-west-1",
            "us-west-2",
        ],
    },
];

/// The partition of a region id, by the beginning of the id.
pub(crate) fn of_region(region: &str) -> Option<&'static str> {
    let begins = |partition: &&Partition| {
        let mut prefixes = partition.prefixes.iter();
        prefixes.any(|prefix| region.starts_with(prefix))
    };
    Some(PARTITIONS.iter().find(begins)?.name)
}

/// The regions of all partitions.
pub(crate) fn regions<'a>() -> impl Iterator<Item = &'a str> {
    PARTITIONS
        .iter()
        .flat_map(|partition| partition.regions)
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_has_the_prefix_of_its_partition_only() {
        for partition in PARTITIONS {
            for region in partition.regions {
                assert_eq!(of_region(region), Some(partition.name), "{region}");
            }
        }
        assert_eq!(of_region("moon-base-1"), None);
    }

    #[cfg(feature = "bundle")]
    #[test]
    fn no_region_of_the_bundle_is_attributed_to_another_partition() {
        let catalog = crate::Catalog::bundled();
        for id in catalog.known_regions() {
            assert!(
                of_region(id).is_none_or(|name| name == catalog.partition()),
                "{id}"
            );
        }
    }
}
