//! A recording that tries to get out of every text it is put into.

use bedrock_catalog::recording::{
    ModelSummary, ProfileModel, ProfileSummary, Recording, RegionAnswers,
};

/// What a text must not break.
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

/// Ids whose constants all want one name, or are no names, or meet what generated code uses.
const IDS: [&str; 26] = [
    "a.b", "a-b", "a_b", "A.B", "a b", "a.b-2", "a.b_2", "a.b_3", "self", "Self", "crate", "fn",
    "_", "__", "9", "0-9", "-", ".", "brand", "models", "catalog", "modelid", "é", "日本", "none",
    "u16",
];

/// A recording of nothing but such texts, in every field that has one.
pub(crate) fn recording() -> Recording {
    let texts = texts();
    let ids = IDS.iter().map(|id| (*id).to_owned());
    let ids: Vec<String> = ids
        .chain(texts.iter().filter(|text| !text.is_empty()).cloned())
        .collect();
    let text = |place: usize| Some(texts[place % texts.len()].clone());
    let words = |place: usize| Some(vec![texts[place % texts.len()].clone(), "TEXT".to_owned()]);
    let models = ids.iter().enumerate().map(|(place, id)| ModelSummary {
        model_id: id.clone(),
        model_name: text(place),
        provider_name: text(place + 1),
        input_modalities: words(place + 2),
        output_modalities: words(place + 3),
        customizations_supported: words(place + 4),
        inference_types_supported: words(place + 5),
        ..ModelSummary::default()
    });
    let profiles = ids.iter().enumerate().map(|(place, id)| ProfileSummary {
        inference_profile_id: match place % 2 {
            0 => id.clone(),
            _ => format!("{}.{id}", texts[place % texts.len()]),
        },
        inference_profile_name: text(place + 6),
        description: text(place + 7),
        status: text(place + 8),
        models: vec![ProfileModel {
            model_arn: format!("arn:aws:bedrock:{}::foundation-model/{id}", "r-1"),
        }],
        ..ProfileSummary::default()
    });
    let answers = RegionAnswers {
        models: models.collect(),
        profiles: profiles.collect(),
    };
    let hostile = texts.iter().filter(|text| !text.is_empty());
    let mut regions: std::collections::BTreeMap<String, RegionAnswers> = hostile
        .map(|id| (id.clone(), RegionAnswers::default()))
        .collect();
    regions
        .extend(["brand", "a.b", "a-b", "9"].map(|id| (id.to_owned(), RegionAnswers::default())));
    regions.insert("r-1".to_owned(), answers);
    Recording {
        observed_at: "2026-08-22T00:52:43Z".parse().unwrap(),
        partition: "aws".to_owned(),
        regions,
        failures: Default::default(),
        left_out: Vec::new(),
    }
}
