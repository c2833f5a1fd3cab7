//! Which regions there are to ask, and which of them an account has to switch on first.
//!
//! The SDK carries the partitions' data, but keeps it private (tried with aws-sdk-bedrock 1.166), so
//! this is a table of our own: the regions where Bedrock's control plane answers. A region that is
//! not in it can be named by the caller and is fetched like any other.
//! This file does no I/O.

/// The regions of the partition `aws` that every account has (those opened before 2019-03-20).
const ALWAYS_ON: [&str; 17] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// The regions of the partition `aws` with Bedrock that an account has to enable.
const OPT_IN: [&str; 14] = [
    "af-south-1",
    "ap-east-2",
    "ap-south-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-west-1",
    "eu-central-2",
    "eu-south-1",
    "eu-south-2",
    "il-central-1",
    "mx-central-1",
];

const US_GOV: [&str; 2] = ["us-gov-east-1", "us-gov-west-1"];

/// The regions of a partition that are asked when the caller names none, sorted: the 31 of `aws`, the
/// two of `aws-us-gov`, and none for a partition this version knows no Bedrock region of.
///
/// ```
/// use bedrock_catalog::fetch::partition_regions;
///
/// assert_eq!(partition_regions("aws").len(), 31);
/// assert!(partition_regions("aws-nowhere").is_empty());
/// ```
pub fn partition_regions(partition: &str) -> Vec<&'static str> {
    let mut regions: Vec<_> = match partition {
        "aws" => ALWAYS_ON.iter().chain(&OPT_IN).copied().collect(),
        "aws-us-gov" => US_GOV.to_vec(),
        _ => Vec::new(),
    };
    regions.sort_unstable();
    regions
}

/// The partition a region belongs to, told from its name as the SDK's own data does it.
pub(super) fn partition_of(region: &str) -> &'static str {
    const PREFIXES: [(&str, &str); 7] = [
        ("us-gov-", "aws-us-gov"),
        ("cn-", "aws-cn"),
        ("eusc-", "aws-eusc"),
        ("us-isob-", "aws-iso-b"),
        ("us-isof-", "aws-iso-f"),
        ("us-iso-", "aws-iso"),
        ("eu-isoe-", "aws-iso-e"),
    ];
    PREFIXES
        .iter()
        .find(|(prefix, _)| region.starts_with(prefix))
        .map_or("aws", |(_, partition)| partition)
}

/// Whether an account has to enable this region. Every region opened since 2019 is opt-in, so one
/// that the table does not know is taken for one; other partitions have none.
pub(super) fn is_opt_in(region: &str) -> bool {
    partition_of(region) == "aws" && !ALWAYS_ON.contains(&region)
}

/// Whether a text can be a region at all: it becomes part of a host name and of a path.
pub(super) fn is_region_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    (4..=32).contains(&text.len())
        && bytes.next().is_some_and(|byte| byte.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && text.contains('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_know_their_partition() {
        for region in partition_regions("aws") {
            assert_eq!(partition_of(region), "aws");
            assert!(is_region_name(region));
        }
        for (region, partition) in [
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("eusc-de-east-1", "aws-eusc"),
            ("cn-north-1", "aws-cn"),
        ] {
            assert_eq!(partition_of(region), partition);
            assert!(!is_opt_in(region));
        }
        assert!(is_opt_in("ap-southeast-9"));
        assert!(!is_opt_in("us-east-1"));
    }

    #[test]
    fn what_is_no_region_is_refused() {
        for text in [
            "",
            "us",
            "US-EAST-1",
            "us-east-1/..",
            "us.east",
            "useast1",
            "1-us-east",
            "us-east-",
        ] {
            assert!(!is_region_name(text), "{text}");
        }
    }
}
