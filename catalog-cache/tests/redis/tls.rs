//! TLS: certificates, and a scheme that does not fit the port.

use std::sync::Arc;
use std::time::Duration;

use bedrock_catalog_cache::{RedisOptions, RedisTier, Tier, TierError, TierErrorKind};
use bedrock_catalog_test_support::redis_server::{RedisServer, is_installed};

use crate::support::*;

/// A TLS server on `localhost`, its certificate as PEM, and its options without an authority.
fn tls_server() -> Option<(RedisServer, String, RedisOptions)> {
    if !is_installed() {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let (certificate, private) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&private, made.signing_key.serialize_pem()).unwrap();
    let server = RedisServer::start_tls(&certificate, &private)?;
    let options = RedisOptions::from_url(&format!("rediss://localhost:{}", server.port())).unwrap();
    // Debug builds make TLS slow.
    let options = options.timeout(Duration::from_secs(5)).unwrap();
    Some((server, made.cert.pem(), options))
}

fn refused(options: RedisOptions) -> TierError {
    let tier = RedisTier::new(options, codec(), Arc::new(clock()));
    tier.get(&ns(), &key(1), NONE).unwrap_err()
}

#[test]
fn only_the_given_authority_is_trusted() {
    let Some((_server, pem, options)) = tls_server() else {
        return;
    };
    let clock = clock();
    let trusting = options.clone().ca_pem(pem.as_bytes()).unwrap();
    let trusting = RedisTier::new(trusting, codec(), Arc::new(clock.clone()));
    put(&trusting, &entry(&key(1), "over tls", &clock));
    assert_eq!(text(&trusting, &key(1)).as_deref(), Some("over tls"));
    assert!(trusting.status().ok);

    let other = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let other = options.clone().ca_pem(other.cert.pem().as_bytes()).unwrap();
    // The platform's authorities do not know it either.
    for untrusting in [other, options] {
        let error = refused(untrusting);
        assert_eq!(error.kind(), TierErrorKind::Unsafe, "{error}");
        assert!(error.to_string().contains("not trusted"), "{error}");
    }
}

#[test]
fn a_scheme_that_does_not_fit_the_port_is_named() {
    let Some((tls, _, _)) = tls_server() else {
        return;
    };
    let options = RedisOptions::from_url(&format!("redis://localhost:{}", tls.port())).unwrap();
    let error = refused(options);
    assert!(error.is_tier_failure(), "{error}");
    assert!(error.to_string().contains("rediss://"), "{error}");

    let Some(plain) = server() else { return };
    let options = RedisOptions::from_url(&format!("rediss://localhost:{}", plain.port())).unwrap();
    let error = refused(options.timeout(Duration::from_secs(5)).unwrap());
    // Without a line feed in the handshake, the server waits for more.
    let kinds = [TierErrorKind::Protocol, TierErrorKind::Timeout];
    assert!(kinds.contains(&error.kind()), "{error}");
    assert!(error.to_string().contains("needs redis://"), "{error}");
}
