//! Overlays: the caller's own models and profiles, laid over every catalog.

use bedrock_catalog::{CatalogErrorKind, LiveCatalog, Overlay, Policy};
use tracing::Level;

use crate::stage::*;

const OWN: &str = r#"{"models": [{"id": "acme.private-v1", "name": "Private",
    "access": [{"inference_types": ["ON_DEMAND"], "regions": ["eu-west-1", "mars-north-1"]}]},
    {"id": "maker.model-2-v1:0", "name": "Ours"}]}"#;

#[tokio::test]
async fn an_overlay_lies_over_every_source_and_is_never_cached() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), answers_then_fails(3));
    let build = || {
        let overlay = Overlay::from_json(OWN.as_bytes()).unwrap();
        in_files(&wire, &clock, folder.path())
            .overlay(overlay)
            .build()
            .unwrap()
    };
    let check = |live: &LiveCatalog, source: &str| {
        let snapshot = live.snapshot();
        assert_eq!(snapshot.source().as_str(), source);
        let route = snapshot
            .route("acme.private-v1", "mars-north-1", Policy::Geography)
            .unwrap();
        assert_eq!(route.inference_id(), "acme.private-v1");
        assert_eq!(
            snapshot.model("maker.model-2-v1:0").unwrap().name(),
            Some("Ours"),
            "it wins"
        );
        assert_eq!(live.status().overlay, 2);
    };
    let live = build();
    check(&live, "bundle");
    live.load().await.unwrap();
    check(&live, "api");
    clock.advance(HOUR);
    live.refresh().await.unwrap();
    check(&live, "api");
    let second = build();
    second.load().await.unwrap();
    check(&second, "cache");
    for path in files(folder.path()) {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            !text.contains("acme") && !text.contains("Ours"),
            "{}",
            path.display()
        );
    }
    // The next refresh does not build on it.
    let plain = in_files(&wire, &clock, folder.path()).build().unwrap();
    let plain = plain.refresh().await.unwrap();
    assert!(plain.model("acme.private-v1").is_none());
    assert_ne!(
        plain.model("maker.model-2-v1:0").unwrap().name(),
        Some("Ours")
    );
}

#[tokio::test]
async fn a_changed_overlay_file_is_noticed_at_the_next_load() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let path = folder.path().join("overlay.json");
    let (lines, _guard) = Lines::listen();
    let live = in_memory(&wire, &clock)
        .overlay_file(&path)
        .build()
        .unwrap();
    // Not there yet: one warning, and the catalog is served.
    for _ in 0..5 {
        assert_eq!(live.load().await.unwrap().source().as_str(), "api");
    }
    let warnings = lines.at(Level::WARN);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("overlay.json"));
    let changes = live.subscribe();
    std::fs::write(&path, OWN).unwrap();
    assert!(
        live.load()
            .await
            .unwrap()
            .model("acme.private-v1")
            .is_some()
    );
    assert_eq!(live.status().overlay, 2);
    assert!(!changes.try_next().unwrap().diff().is_empty());
    // Broken: the last overlay stays.
    std::fs::write(&path, "{").unwrap();
    for _ in 0..5 {
        assert!(
            live.load()
                .await
                .unwrap()
                .model("acme.private-v1")
                .is_some()
        );
    }
    assert_eq!(
        lines.at(Level::WARN).len(),
        2,
        "{:?}",
        lines.at(Level::WARN)
    );
    // It does not fit: the catalog is served without it; then it does.
    std::fs::write(
        &path,
        r#"{"models": [{"id": "a.twice"}, {"id": "a.twice"}]}"#,
    )
    .unwrap();
    let snapshot = live.load().await.unwrap();
    assert!(snapshot.model("acme.private-v1").is_none() && snapshot.is_degraded());
    assert_eq!(
        snapshot.error_kind(),
        Some(CatalogErrorKind::InvalidCatalog)
    );
    std::fs::write(&path, OWN.replace("acme", "other")).unwrap();
    let snapshot = live.load().await.unwrap();
    assert!(snapshot.model("other.private-v1").is_some() && !snapshot.is_degraded());
    std::fs::remove_file(&path).unwrap();
    assert!(
        live.load()
            .await
            .unwrap()
            .model("other.private-v1")
            .is_some()
    );
    clock.advance(HOUR);
    assert!(
        live.refresh()
            .await
            .unwrap()
            .model("other.private-v1")
            .is_some()
    );
    assert_eq!(wire.stage().requests(), 8, "an overlay causes no fetch");
}

#[tokio::test]
async fn a_profile_may_name_a_model_that_is_not_known_yet() {
    let own = r#"{"profiles": [{"id": "acme.profile", "routes": [{"model": "maker.model-1-v1:0",
        "sources": ["eu-west-1"], "destinations": ["eu-west-1"]}]}]}"#;
    let overlay = Overlay::from_json(own.as_bytes()).unwrap();
    for fallback in [true, false] {
        let builder = in_memory(&wire(), &clock()).bundled_fallback(fallback);
        let live = builder.overlay(overlay.clone()).build().unwrap();
        assert!(live.snapshot().profile("acme.profile").is_some());
        let snapshot = live.load().await.unwrap();
        let model = snapshot.model("maker.model-1-v1:0").unwrap();
        assert_eq!(model.name(), Some("Model “1” <b>"), "known after the load");
        assert!(
            model
                .profiles()
                .any(|profile| profile.id() == "acme.profile")
        );
    }
}

#[test]
fn an_overlay_that_fits_nothing_is_refused_at_build() {
    let own = r#"{"models": [{"id": "a.twice"}, {"id": "a.twice"}]}"#;
    let overlay = Overlay::from_json(own.as_bytes()).unwrap();
    assert!(
        LiveCatalog::builder()
            .offline(true)
            .overlay(overlay)
            .build()
            .is_err()
    );
    assert!(Overlay::from_json(b"7").is_err());
}

/// A misspelt overlay is refused, not taken for an empty one.
#[test]
fn malformed_overlays_are_refused() {
    for text in [
        "[]",
        " [[], []]",
        "{}",
        r#"{"model": [{"id": "acme.private-v1"}]}"#,
        r#"{"models": null}"#,
        "null",
        "\"models\"",
        "",
    ] {
        let error = Overlay::from_json(text.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), CatalogErrorKind::InvalidCatalog, "{text}");
        let error = error.to_string();
        assert!(
            error.contains("`models`, `profiles` or both"),
            "{text}: {error}"
        );
    }
    assert!(Overlay::from_json(b" {\"models\": []}").unwrap().is_empty());
}

#[tokio::test]
async fn a_crowd_has_the_file_s_overlay_and_a_snapshot_needs_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("overlay.json");
    std::fs::write(&path, OWN).unwrap();
    let live = in_memory(&wire(), &clock())
        .overlay_file(&path)
        .build()
        .unwrap();
    let crowd: Vec<_> = (0..1000)
        .map(|_| {
            let live = live.clone();
            tokio::spawn(async move {
                live.load()
                    .await
                    .unwrap()
                    .model("acme.private-v1")
                    .is_some()
            })
        })
        .collect();
    for one in crowd {
        assert!(one.await.unwrap());
    }
    // A snapshot needs no file.
    std::fs::remove_file(&path).unwrap();
    assert!(live.snapshot().model("acme.private-v1").is_some());
}

/// The status shows an overlay that is not used, beside the reason of a failed fetch.
#[tokio::test]
async fn the_status_shows_an_overlay_that_is_not_used() {
    let misfit = r#"{"models": [{"id": "a.twice"}, {"id": "a.twice"}]}"#;
    for (written, says) in [
        (None, "overlay.json"),
        (Some("{"), "no overlay"),
        (Some(misfit), "does not fit"),
    ] {
        let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), answers_then_fails(1));
        let path = folder.path().join("overlay.json");
        if let Some(written) = written {
            std::fs::write(&path, written).unwrap();
        }
        let live = in_files(&wire, &clock, &folder.path().join("cache"))
            .overlay_file(&path)
            .build()
            .unwrap();
        live.load().await.unwrap();
        let status = live.status();
        let shown = status.overlay_error.clone().unwrap();
        assert!(shown.contains(says) && status.degraded, "{shown}");
        assert_eq!(status.error, status.overlay_error, "nothing else is wrong");
        assert_eq!(status.error_kind, Some("invalid_catalog"));
        clock.advance(HOUR);
        live.refresh().await.unwrap_err();
        let status = live.status();
        assert!(status.error.unwrap().contains("denied"));
        assert_eq!(
            (status.error_kind, status.overlay_error),
            (Some("unavailable"), Some(shown))
        );
        std::fs::write(&path, OWN).unwrap();
        live.load().await.unwrap();
        let status = live.status();
        assert!(status.error.unwrap().contains("denied"));
        assert_eq!((status.overlay, status.overlay_error), (2, None));
        // Nothing of it is cached.
        for path in files(&folder.path().join("cache")) {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(!text.contains("overlay"), "{}", path.display());
        }
    }
}

/// The error of an overlay may quote its ARNs.
#[tokio::test]
async fn account_ids_of_an_overlay_are_not_logged() {
    const ACCOUNT: &str = "999988887777";
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let path = folder.path().join("overlay.json");
    let (lines, _guard) = Lines::listen();
    let arn = format!("arn:aws:bedrock:eu-west-1:{ACCOUNT}:provisioned-model/abc");
    for wrong in [
        // No overlay; no catalog.
        format!(r#"{{"models": "{arn}"}}"#),
        format!(r#"{{"models": [{{"id": "{arn}"}}, {{"id": "{arn}"}}]}}"#),
    ] {
        std::fs::write(&path, &wrong).unwrap();
        let overlay = in_memory(&wire, &clock).overlay_file(&path);
        let live = overlay.build().unwrap();
        live.load().await.unwrap();
        let why = live.status().overlay_error.unwrap();
        assert!(
            why.contains("000000000000") && !why.contains(ACCOUNT),
            "{why}"
        );
    }
    let warnings = lines.at(Level::WARN);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    for line in lines.all() {
        assert!(!line.contains(ACCOUNT), "{line}");
    }
}
