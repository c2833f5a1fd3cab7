//! ARNs of foundation models, which name what a profile serves and where.

use std::fmt;

/// The parts of `arn:PARTITION:bedrock:REGION::foundation-model/ID`.
///
/// Printed as the ARN without an account id.
///
/// ```
/// use bedrock_catalog_recording::ModelArn;
///
/// let text = "arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-pro-v1:0";
/// let arn = ModelArn::parse(text).unwrap();
/// assert_eq!(arn.model, "amazon.nova-pro-v1:0");
/// assert_eq!(arn.region, Some("eu-west-1"));
/// assert_eq!(arn.to_string(), text);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModelArn<'a> {
    /// The partition: `aws`, `aws-us-gov`, …
    pub partition: &'a str,
    /// The region; `None` stands for any region of the partition.
    pub region: Option<&'a str>,
    /// The exact model id.
    pub model: &'a str,
}

impl<'a> ModelArn<'a> {
    /// The ARN of a model in a region, or in any.
    pub fn new(partition: &'a str, region: Option<&'a str>, model: &'a str) -> Self {
        Self {
            partition,
            region,
            model,
        }
    }

    /// Parses an ARN. `None` unless it has six parts and names a foundation model of Bedrock.
    pub fn parse(arn: &'a str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':');
        let mut next = || parts.next();
        if next()? != "arn" {
            return None;
        }
        let partition = next().filter(|partition| !partition.is_empty())?;
        if next()? != "bedrock" {
            return None;
        }
        let region = next()?;
        let _account = next()?;
        let model = next()?.strip_prefix("foundation-model/")?;
        (!model.is_empty()).then_some(Self {
            partition,
            region: Some(region).filter(|region| !region.is_empty()),
            model,
        })
    }
}

impl fmt::Display for ModelArn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            partition, model, ..
        } = self;
        let region = self.region.unwrap_or_default();
        write!(
            f,
            "arn:{partition}:bedrock:{region}::foundation-model/{model}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_complete_arns_of_models_parse() {
        let arn = ModelArn::parse("arn:aws:bedrock:eu-west-1::foundation-model/a.b-v1:0:300k");
        let arn = arn.unwrap();
        assert_eq!(
            (arn.partition, arn.region, arn.model),
            ("aws", Some("eu-west-1"), "a.b-v1:0:300k")
        );
        let global = ModelArn::parse("arn:aws:bedrock:::foundation-model/a.b").unwrap();
        assert_eq!(global.region, None);
        assert_eq!(global.to_string(), "arn:aws:bedrock:::foundation-model/a.b");
        for wrong in [
            "",
            "arn:aws:bedrock:eu-west-1::foundation-model/",
            "arn:aws:bedrock:eu-west-1:foundation-model/a",
            "arn:aws:s3:eu-west-1::foundation-model/a",
            "arn::bedrock:eu-west-1::foundation-model/a",
            "arn:aws:bedrock:eu-west-1::custom-model/a",
        ] {
            assert_eq!(ModelArn::parse(wrong), None, "{wrong}");
        }
    }
}
