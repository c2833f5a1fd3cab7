//! The address of a Redis, and how the tier uses it.

use std::fmt;
use std::time::Duration;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, TlsCertificates};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::ConfigError;

/// A Redis or Valkey server, or a Cluster of them.
///
/// A URL is `redis://[user:password@]host[:port][/database]`, or `rediss://…` for TLS. **A comma selects a
/// Cluster**: `redis://one:6379,redis://two:6379` are its first nodes, which name the others; a single
/// node, such as a configuration endpoint, ends in a comma. Special characters in a user name or password
/// are written as `%XX`.
///
/// ```
/// use bedrock_catalog_cache::RedisOptions;
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
    /// The authorities of the server's certificate, instead of the platform's.
    pub(super) certificates: Option<TlsCertificates>,
}

const ALLOWED: &str = "redis://[user:password@]host[:port][/database], rediss:// for TLS; several with commas, or one that ends in a comma, for a Cluster";

impl RedisOptions {
    /// The default of [`RedisOptions::timeout`].
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_millis(250);

    /// The server or Cluster at this URL.
    ///
    /// # Errors
    /// It is not such a URL. The error does not show the password.
    pub fn from_url(url: &str) -> Result<Self, ConfigError> {
        Self::from_setting("redis url", url)
    }

    /// As [`RedisOptions::from_url`], with the name of the setting for the error.
    pub(crate) fn from_setting(setting: &str, url: &str) -> Result<Self, ConfigError> {
        let refuse = |allowed: &str| Err(ConfigError::new(setting, masked(url), allowed));
        let is_cluster = url.contains(',');
        let mut nodes = Vec::new();
        for url in url.split(',').map(str::trim).filter(|url| !url.is_empty()) {
            let scheme = url.split_once("://").map(|(scheme, _)| scheme);
            // No fragment: the only one there is turns off the check of certificates.
            let is_known = matches!(scheme, Some("redis" | "rediss" | "valkey" | "valkeys"));
            let Some(info) = (is_known && !url.contains(['#', '?']))
                .then(|| url.into_connection_info().ok())
                .flatten()
            else {
                return refuse(ALLOWED);
            };
            // Without HELLO and CLIENT SETINFO, a connection opens without a round trip.
            let settings = info.redis_settings().clone();
            let settings = settings.set_protocol(ProtocolVersion::RESP2);
            nodes.push(info.set_redis_settings(settings.set_skip_set_lib_name()));
        }
        let Some(first) = nodes.first() else {
            return refuse(ALLOWED);
        };
        if is_cluster {
            if nodes.iter().any(|node| node.redis_settings().db() != 0) {
                return refuse("no database number for a Cluster: it has only one");
            }
            let login = |node: &ConnectionInfo| {
                let settings = node.redis_settings();
                let user = settings.username().map(str::to_owned);
                (is_tls(node), user, settings.password().map(str::to_owned))
            };
            if nodes.iter().any(|node| login(node) != login(first)) {
                return refuse("the same scheme, user and password for all nodes of a Cluster");
            }
        }
        Ok(Self {
            nodes,
            is_cluster,
            prefix: "bedrock-catalog".to_owned(),
            timeout: Self::DEFAULT_TIMEOUT,
            certificates: None,
        })
    }

    /// The prefix of all keys and of the channel; `bedrock-catalog` by default.
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

    /// The limit of one operation, connecting included; 250 ms by default. It is up to twice as long in a
    /// process that gets no processor to read the reply.
    ///
    /// # Errors
    /// It is less than 10 ms or more than 10 s.
    pub fn timeout(mut self, timeout: Duration) -> Result<Self, ConfigError> {
        let longest = Duration::from_secs(10);
        if !(Duration::from_millis(10)..=longest).contains(&timeout) {
            let value = format!("{timeout:?}");
            return Err(ConfigError::new("redis timeout", value, "10ms to 10s"));
        }
        self.timeout = timeout;
        Ok(self)
    }

    /// The authorities, as PEM, that sign the server's certificate, instead of the platform's.
    ///
    /// # Errors
    /// It contains no certificate, or one that cannot be used, or the URL is not `rediss://`.
    pub fn ca_pem(mut self, pem: &[u8]) -> Result<Self, ConfigError> {
        let mut roots = RootCertStore::empty();
        let is_usable = CertificateDer::pem_slice_iter(pem)
            .all(|certificate| certificate.is_ok_and(|certificate| roots.add(certificate).is_ok()));
        let refuse = |allowed| {
            let value = format!("{} bytes", pem.len());
            Err(ConfigError::new("redis ca", value, allowed))
        };
        if !is_usable || roots.is_empty() {
            return refuse("certificates as PEM");
        }
        if !self.is_tls() {
            return refuse("only with rediss://");
        }
        self.certificates = Some(TlsCertificates {
            client_tls: None,
            root_cert: Some(pem.to_vec()),
        });
        Ok(self)
    }

    pub(super) fn is_tls(&self) -> bool {
        self.nodes.iter().any(is_tls)
    }

    /// The hosts and ports, for people.
    pub(super) fn address(&self) -> String {
        let address = |info: &ConnectionInfo| info.addr().to_string();
        let addresses: Vec<String> = self.nodes.iter().map(address).collect();
        addresses.join(",")
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("nodes", &self.address())
            .field("is_cluster", &self.is_cluster)
            .field("is_tls", &self.is_tls())
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

fn is_tls(info: &ConnectionInfo) -> bool {
    matches!(info.addr(), ConnectionAddr::TcpTls { .. })
}

/// The URLs without anything that may be a user, a password or a parameter, however malformed they are.
fn masked(urls: &str) -> String {
    let is_plain = |text: &str| {
        let (_, port) = text.rsplit_once(':').unwrap_or_default();
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-:/[],".contains(&b))
            && port.bytes().all(|b| b.is_ascii_digit() || b == b'/')
    };
    let scheme = match urls.split_once("://") {
        Some((scheme, _)) if is_plain(scheme) => format!("{scheme}://"),
        _ => String::new(),
    };
    match urls.rsplit_once('@') {
        Some((_, host)) if is_plain(host) => format!("{scheme}…@{host}"),
        None if is_plain(urls.strip_prefix(&scheme).unwrap_or(urls)) => urls.to_owned(),
        _ => format!("{scheme}…"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_selects_a_cluster() {
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
                (options.is_cluster, options.address().as_str()),
                (is_cluster, nodes),
                "{url}"
            );
        }
    }

    #[test]
    fn a_refused_url_is_named_without_its_password() {
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
            let Err(error) = RedisOptions::from_setting("APP_REDIS_URL", url) else {
                panic!("accepted {url}");
            };
            let shown = error.to_string();
            assert!(shown.starts_with("APP_REDIS_URL is "), "{shown}");
            assert!(shown.contains("allowed: "), "{shown}");
            assert!(!shown.contains("secret") || url.contains("less"), "{shown}");
            assert!(!shown.contains("sec,"), "{shown}");
        }
        let options = RedisOptions::from_url("rediss://u:secret@h").unwrap();
        assert!(!format!("{options:?}").contains("secret"));
        assert!(options.clone().prefix("a*").is_err() && options.clone().prefix("").is_err());
        assert!(options.clone().timeout(Duration::ZERO).is_err());
        assert!(options.ca_pem(b"no certificate").is_err());
    }
}
