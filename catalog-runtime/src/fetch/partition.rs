//! The regions to fetch, and which of them an account has to enable.

use bedrock_catalog_data::{bedrock_regions, partition_of};

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

/// The regions of a partition that are fetched when the caller names none, sorted: the 31 of `aws`, the
/// two of `aws-us-gov`, and none for other partitions.
///
/// ```
/// use bedrock_catalog::fetch::partition_regions;
///
/// assert_eq!(partition_regions("aws").len(), 31);
/// assert!(partition_regions("aws-nowhere").is_empty());
/// ```
pub fn partition_regions(partition: &str) -> Vec<&'static str> {
    bedrock_regions(partition).to_vec()
}

/// Whether an account has to enable this region. Every region opened since 2019 is opt-in, so an
/// unknown one is too; other partitions have none.
pub(super) fn is_opt_in(region: &str) -> bool {
    partition_of(region).is_none_or(|of| of == "aws") && !ALWAYS_ON.contains(&region)
}

/// Whether a text can be a region: it becomes part of a host name and of a path.
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
    fn regions_opened_since_2019_are_opt_in() {
        for region in partition_regions("aws") {
            assert!(is_region_name(region));
        }
        assert!(
            ALWAYS_ON
                .iter()
                .all(|region| partition_regions("aws").contains(region))
        );
        assert!(is_opt_in("ap-southeast-9"));
        for region in ["us-east-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1"] {
            assert!(!is_opt_in(region), "{region}");
        }
    }

    #[test]
    fn malformed_region_names_are_refused() {
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
