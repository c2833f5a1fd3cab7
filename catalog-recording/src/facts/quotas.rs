//! The codes of Service Quotas by model.

use std::collections::BTreeMap;

use bedrock_catalog_data::facts::{QuotaEntry, QuotaMetric};

use super::input::{FactsInput, csv_rows, is_id, text};
use crate::error::RecordingError;

/// The quotas by model id. Rows without a code or a model are dropped.
pub(super) fn read(
    input: &FactsInput<'_>,
) -> Result<BTreeMap<String, Vec<QuotaEntry<'static>>>, RecordingError> {
    let columns = ["model_id", "endpoint", "quota_type", "quota_code"];
    let rows = csv_rows("quotas", text("quotas", input)?, columns)?;
    let mut quotas: BTreeMap<String, Vec<QuotaEntry<'static>>> = BTreeMap::new();
    for [id, endpoint, metric, code] in rows {
        let is_code = code.len() <= 20
            && code.starts_with("L-")
            && code
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let is_term = |text: &str| {
            !text.is_empty()
                && text.len() <= 20
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        };
        if !is_id(&id) || !is_code || !is_term(&endpoint) || !is_term(&metric) {
            continue;
        }
        let quota = QuotaEntry::new(endpoint, QuotaMetric::from(metric.as_str()), code);
        quotas.entry(id).or_default().push(quota);
    }
    for list in quotas.values_mut() {
        list.sort_unstable();
        list.dedup();
    }
    Ok(quotas)
}
