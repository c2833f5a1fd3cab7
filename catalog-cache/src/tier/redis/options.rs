//! Where a Redis is, and how it is asked. This file may not connect, and nothing it shows has a
//! password in it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::ConfigError;

/// Where a Redis or Valkey server is, or a Cluster of them, and how it is asked.
///
/// A URL is `redis://[user:password@]host[:port][/database]`, or `rediss://…` with TLS. **A comma asks
/// for a Cluster**: `redis://one:6379,redis://two:6379` are nodes to begin with, the others are found
/// through them; one node alone, such as a configuration endpoint, ends in a comma. What is special in
/// a user's name or password is written as `%XX`.
///
/// ```
/// use bedrock_catalog_cache::tier::redis::RedisOptions;
///
/// let options = RedisOptions::from_url("rediss://app:s3cret@cache.example.com/2")?;
/// assert!(!format!("{options:?}").contains("s3cret"));
/// let error = RedisOptions::from_url("http://app:s3cret@cache.example.com").unwrap_err();
/// assert!(!error.to_string().contains("s3cret"));
/// # Ok::<(), bedrock_catalog_cache::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct RedisOptions {
    pub(super) nodes: Vec<ConnectionInfo>,
    pub(super) is_cluster: bool,
    pub(super) prefix: String,
    pub(super) timeout: Duration,
    /// Who may sign the server's certificate; the platform's authorities if not said.
    pub(super) roots: Option<Arc<RootCertStore>>,
}

const ALLOWED: &str = "redis://[user:password@]host[:port][/database], rediss:// for TLS; several with commas, or one that ends in a comma, for a Cluster";

impl RedisOptions {
    /// The default of [`RedisOptions::timeout`].
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_millis(250);

    /// The server or Cluster at this URL.
    ///
    /// # Errors
    /// It is no such URL. The error does not show the password.
    pub fn from_url(url: &str) -> Result<Self, ConfigError> {
        Self::named("redis url", url)
    }

    /// The same from the setting of this name.
    #[doc(hidden)]
    pub fn named(setting: &str, url: &str) -> Result<Self, ConfigError> {
        let refuse = |allowed: &str| Err(ConfigError::new(setting, masked(url), allowed));
        let is_cluster = url.contains(',');
        let mut nodes = Vec::new();
        for url in url.split(',').map(str::trim) {
            if url.is_empty() {
                continue;
            }
            let scheme = url.split_once("://").map(|(scheme, _)| scheme);
            // Without a fragment: the only one there is turns the check of certificates off.
            let known = matches!(scheme, Some("redis" | "rediss" | "valkey" | "valkeys"));
            let Some(info) = (known && !url.contains(['#', '?']))
                .then(|| url.into_connection_info().ok())
                .flatten()
            else {
                return refuse(ALLOWED);
            };
            nodes.push(plain(info));
        }
        let Some(first) = nodes.first() else {
            return refuse(ALLOWED);
        };
        if is_cluster {
            if nodes.iter().any(|node| node.redis_settings().db() != 0) {
                return refuse("no database number for a Cluster: it has only one");
            }
            let who = |node: &ConnectionInfo| {
                let settings = node.redis_settings();
                let user = settings.username().map(str::to_owned);
                (is_tls(node), user, settings.password().map(str::to_owned))
            };
            if nodes.iter().any(|node| who(node) != who(first)) {
                return refuse("the same scheme, user and password for all nodes of a Cluster");
            }
        }
        Ok(Self {
            nodes,
            is_cluster,
            prefix: "bedrock-catalog".to_owned(),
            timeout: Self::DEFAULT_TIMEOUT,
            roots: None,
        })
    }

    /// What the names of all keys begin with; `bedrock-catalog` if not said.
    ///
    /// # Errors
    /// It has other characters than letters, digits and `. _ - /`, or is empty or longer than 64.
    pub fn prefix(mut self, prefix: &str) -> Result<Self, ConfigError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/');
        if !(1..=64).contains(&prefix.len()) || !prefix.bytes().all(plain) {
            let allowed = "1 to 64 letters, digits and . _ - /";
            return Err(ConfigError::new("redis prefix", prefix, allowed));
        }
        prefix.clone_into(&mut self.prefix);
        Ok(self)
    }

    /// How long a caller is held by one operation, connecting included; 250 ms if not said. Up to twice as
    /// long where its own process gets no processor, and could not have read an answer.
    ///
    /// # Errors
    /// It is less than 10 ms or more than 10 s.
    pub fn timeout(mut self, timeout: Duration) -> Result<Self, ConfigError> {
        let most = Duration::from_secs(10);
        if !(Duration::from_millis(10)..=most).contains(&timeout) {
            let is = format!("{timeout:?}");
            return Err(ConfigError::new("redis timeout", is, "10ms to 10s"));
        }
        self.timeout = timeout;
        Ok(self)
    }

    /// The certificates, as PEM, of who may sign the server's certificate, instead of the platform's
    /// authorities. Only for `rediss://`.
    ///
    /// # Errors
    /// There is no certificate in it, or one that cannot be used.
    pub fn ca_pem(mut self, pem: &[u8]) -> Result<Self, ConfigError> {
        let mut roots = RootCertStore::empty();
        let usable = CertificateDer::pem_slice_iter(pem)
            .all(|certificate| certificate.is_ok_and(|certificate| roots.add(certificate).is_ok()));
        if !usable || roots.is_empty() {
            let is = format!("{} bytes", pem.len());
            return Err(ConfigError::new("redis ca", is, "certificates as PEM"));
        }
        self.roots = Some(Arc::new(roots));
        Ok(self)
    }

    /// The hosts and ports, for people.
    pub(super) fn places(&self) -> String {
        let places: Vec<String> = self.nodes.iter().map(place).collect();
        places.join(",")
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("nodes", &self.places())
            .field("is_cluster", &self.is_cluster)
            .field("is_tls", &self.nodes.iter().any(is_tls))
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// The plain protocol, and no words on who we are: a connection is then there without a round trip.
fn plain(info: ConnectionInfo) -> ConnectionInfo {
    let settings = info.redis_settings().clone();
    let settings = settings.set_protocol(ProtocolVersion::RESP2);
    info.set_redis_settings(settings.set_skip_set_lib_name())
}

pub(super) fn is_tls(info: &ConnectionInfo) -> bool {
    matches!(info.addr(), ConnectionAddr::TcpTls { .. })
}

pub(super) fn place(info: &ConnectionInfo) -> String {
    match info.addr() {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
            format!("{host}:{port}")
        }
        // Not made from the URLs that are allowed.
        _ => String::new(),
    }
}

/// The URLs without anything that might be a user, a password or a parameter, however wrong they are.
fn masked(urls: &str) -> String {
    let plain = |text: &str| {
        let (_, port) = text.rsplit_once(':').unwrap_or_default();
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-:/[],".contains(&b))
            && port.bytes().all(|b| b.is_ascii_digit() || b == b'/')
    };
    let scheme = match urls.split_once("://") {
        Some((scheme, _)) if plain(scheme) => format!("{scheme}://"),
        _ => String::new(),
    };
    match urls.rsplit_once('@') {
        Some((_, host)) if plain(host) => format!("{scheme}…@{host}"),
        None if plain(urls.strip_prefix(&scheme).unwrap_or(urls)) => urls.to_owned(),
        _ => format!("{scheme}…"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_asks_for_a_cluster() {
        for (url, is_cluster, nodes) in [
            ("redis://localhost", false, "localhost:6379"),
            ("valkeys://[::1]:7000/3", false, "::1:7000"),
            ("redis://:p%2Cw@one:7000", false, "one:7000"),
            (
                "redis://one:7000,redis://two:7001",
                true,
                "one:7000,two:7001",
            ),
            ("redis://one:7000,", true, "one:7000"),
        ] {
            let options = RedisOptions::from_url(url).unwrap();
            assert_eq!(
                (options.is_cluster, options.places().as_str()),
                (is_cluster, nodes),
                "{url}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_no_password_shown() {
        for url in [
            "",
            ",",
            "localhost",
            "localhost:6379",
            "http://u:secret@h",
            "redis+unix:///tmp/secretless",
            "rediss://u:secret@h/#insecure",
            "redis://u:secret@h/?protocol=resp3",
            "redis://u:secret@h:notaport",
            "redis://u:secret@h/notadatabase",
            "redis://u:sec,ret@h",
            "redis://u:secret@a/1,redis://u:secret@b/1",
            "redis://u:secret@a,redis://b",
            "redis://u:secret@a,rediss://u:secret@b",
            "u:secret@h",
        ] {
            let Err(error) = RedisOptions::named("APP_REDIS_URL", url) else {
                panic!("accepted {url}");
            };
            let told = error.to_string();
            assert!(told.starts_with("APP_REDIS_URL is "), "{told}");
            assert!(told.contains("allowed: "), "{told}");
            assert!(!told.contains("secret") || url.contains("less"), "{told}");
            assert!(!told.contains("sec,"), "{told}");
        }
        let options = RedisOptions::from_url("rediss://u:secret@h").unwrap();
        assert!(!format!("{options:?}").contains("secret"));
        assert!(options.clone().prefix("a*").is_err() && options.clone().prefix("").is_err());
        assert!(options.clone().timeout(Duration::ZERO).is_err());
        assert!(options.ca_pem(b"no certificate").is_err());
    }
}
