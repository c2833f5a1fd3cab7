//! ARNs of foundation models: how profiles name what they serve and where.

/// `arn:PARTITION:bedrock:REGION::foundation-model/ID`, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelArn<'a> {
    /// `aws`, `aws-us-gov`, `aws-cn`, …
    pub partition: &'a str,
    /// `None` for an ARN without a region: any region of the partition.
    pub region: Option<&'a str>,
    /// The exact model id.
    pub model: &'a str,
}

impl<'a> ModelArn<'a> {
    /// Takes an ARN apart, exactly: six parts, and the resource a foundation model.
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

    /// The ARN's text, with no account.
    pub fn text(&self) -> String {
        let Self {
            partition, model, ..
        } = self;
        let region = self.region.unwrap_or_default();
        format!("arn:{partition}:bedrock:{region}::foundation-model/{model}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_is_read_exactly() {
        let arn = ModelArn::parse("arn:aws:bedrock:eu-west-1::foundation-model/a.b-v1:0:300k");
        let arn = arn.unwrap();
        assert_eq!(
            (arn.partition, arn.region, arn.model),
            ("aws", Some("eu-west-1"), "a.b-v1:0:300k")
        );
        let global = ModelArn::parse("arn:aws:bedrock:::foundation-model/a.b").unwrap();
        assert_eq!(global.region, None);
        assert_eq!(global.text(), "arn:aws:bedrock:::foundation-model/a.b");
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
