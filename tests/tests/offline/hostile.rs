//! A recording of hostile texts, which try to break out of every output format.

use bedrock_catalog::recording::{
    ModelSummary, ProfileModel, ProfileSummary, Recording, RegionAnswers,
};

/// Hostile texts.
pub(crate) fn texts() -> Vec<String> {
    let texts = [
        "\"",
        "\\\"; fn main() {} //",
        "*/ /*",
        "\u{202e}gnp.exe\u{2066}",
        "line\nline\r\n\r",
        "</script><script>alert(1)</script>",
        "\0\u{1b}[2J\u{7f}\u{9b}",
        "`x` ```rust\npanic!()\n```",
        "${{ github.token }} $(id) `id`",
        "#[doc = \"x\"] [a](http://example.invalid) ![b](c) | <b>",
        "    std::process::exit(7)",
        "-     std::process::exit(7)",
        "{} {0} {{}} %s r#\"x\"#",
        "\u{feff}\u{200b}\u{ad}e\u{301}\u{fe0f}🦀",
        "'; DROP TABLE models; --",
        "=cmd|' /C calc'!A0",
        "\u{2028}\u{2029}\u{85}\u{b}\u{c}\t",
        "see https://example.invalid/a_b?c=d, www.example.invalid",
        "- 1. > # = --- ===",
        "",
        " ",
    ];
    let mut texts: Vec<String> = texts.map(str::to_owned).into();
    texts.push("10 kB \" */ \u{202e} ".repeat(500));
    texts
}

/// Ids with colliding or invalid constant names, or with names that generated code uses.
const IDS: [&str; 26] = [
    "a.b", "a-b", "a_b", "A.B", "a b", "a.b-2", "a.b_2", "a.b_3", "self", "Self", "crate", "fn",
    "_", "__", "9", "0-9", "-", ".", "brand", "models", "catalog", "modelid", "é", "日本", "none",
    "u16",
];

/// A recording with hostile texts in every field.
pub(crate) fn recording() -> Recording {
    let texts = texts();
    let ids = IDS.iter().map(|id| (*id).to_owned());
    let ids: Vec<String> = ids
        .chain(texts.iter().filter(|text| !text.is_empty()).cloned())
        .collect();
    let text = |n: usize| Some(texts[n % texts.len()].clone());
    let list = |n: usize| Some(vec![texts[n % texts.len()].clone(), "TEXT".to_owned()]);
    let models = ids.iter().enumerate().map(|(n, id)| {
        let mut row = ModelSummary::new(id.clone());
        row.model_name = text(n);
        row.provider_name = text(n + 1);
        row.input_modalities = list(n + 2);
        row.output_modalities = list(n + 3);
        row.customizations_supported = list(n + 4);
        row.inference_types_supported = list(n + 5);
        row
    });
    let profiles = ids.iter().enumerate().map(|(n, id)| {
        let arn = format!("arn:aws:bedrock:r-1::foundation-model/{id}");
        let profile_id = match n % 2 {
            0 => id.clone(),
            _ => format!("{}.{id}", texts[n % texts.len()]),
        };
        let mut row = ProfileSummary::new(profile_id, vec![ProfileModel::new(arn)]);
        row.inference_profile_name = text(n + 6);
        row.description = text(n + 7);
        row.status = text(n + 8);
        row
    });
    let answers = RegionAnswers::new(models.collect(), profiles.collect());
    let hostile = texts.iter().filter(|text| !text.is_empty());
    let mut regions: std::collections::BTreeMap<String, RegionAnswers> = hostile
        .map(|id| (id.clone(), RegionAnswers::default()))
        .collect();
    regions
        .extend(["brand", "a.b", "a-b", "9"].map(|id| (id.to_owned(), RegionAnswers::default())));
    regions.insert("r-1".to_owned(), answers);
    let mut recording = Recording::new("aws", "2026-08-22T00:52:43Z".parse().unwrap());
    recording.regions = regions;
    recording
}
