//! Redis errors as tier errors: the cause by name, and the remedy where there is one.
//!
//! A message contains nothing that a server sent except an error code: the rest goes to logs, and may
//! hold anything.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use redis::{ErrorKind, RedisError};

use super::options::RedisOptions;
use crate::TierError;
use crate::TierErrorKind::{
    self, Corrupt, Full, Other, Protocol, Refused, Timeout, TooLarge, Unavailable, Unsafe,
};

/// An error inside a script as Redis 6 reports it, within the text, and its code since Redis 7; and one
/// while connecting, whose code the library drops.
const IN_TEXT: [(&str, &str); 5] = [
    (" -OOM ", "OOM"),
    (" -READONLY ", "READONLY"),
    (" WRONGTYPE ", "WRONGTYPE"),
    (" The user executing the script can't ", "NOPERM"),
    ("no permissions", "NOPERM"),
];

/// The text of an error that came before the connection was open.
const CONNECTING: &str = "connecting";

/// The error of an operation without a reply in time, or of one without a connection.
pub(super) fn timeout(is_open: bool) -> RedisError {
    let text = if is_open { "" } else { CONNECTING };
    io::Error::new(io::ErrorKind::TimedOut, text).into()
}

/// The tier error, with the address of the server.
pub(super) fn describe(error: &RedisError, options: &RedisOptions) -> TierError {
    let (kind, message) = cause(error, options.is_tls());
    TierError::new(kind, format!("{message} (Redis at {})", options.address()))
}

fn cause(error: &RedisError, is_tls: bool) -> (TierErrorKind, String) {
    let (kind, message) = match error.kind() {
        ErrorKind::AuthenticationFailed => (Refused, LOGIN),
        ErrorKind::Server(_) | ErrorKind::Extension => return reply_cause(error),
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => {
            (Protocol, "the reply is not Redis's")
        }
        ErrorKind::ClusterConnectionNotFound => (Unavailable, "no node can be reached"),
        _ => match io_error(error) {
            Some(cause) => return io_cause(cause, is_tls),
            None => (Unavailable, "the server cannot be reached"),
        },
    };
    (kind, message.to_owned())
}

const LOGIN: &str = "the user or the password is wrong (WRONGPASS)";

fn reply_cause(error: &RedisError) -> (TierErrorKind, String) {
    let detail = error.detail().unwrap_or_default();
    let in_text = |(text, code): &(&str, _)| detail.contains(text).then_some(*code);
    let code = match error.code() {
        Some("ERR") | None => IN_TEXT.iter().find_map(in_text).unwrap_or("ERR"),
        Some(code) => code,
    };
    let says = |text| detail.contains(text);
    let (kind, message) = match code {
        "OOM" => (Full, "the memory is full (OOM): raise maxmemory"),
        "TOOLARGE" => (TooLarge, "the entry is larger than the limit"),
        "WRONGTYPE" => (Corrupt, "the key in Redis has another type (WRONGTYPE)"),
        "READONLY" => (
            Unavailable,
            "a read-only replica (READONLY): use the primary",
        ),
        "MISCONF" => (
            Unavailable,
            "no writes while saving to disk fails (MISCONF)",
        ),
        "MASTERDOWN" | "NOREPLICAS" => (Unavailable, "no writes without its replication"),
        "NOPERM" => (Refused, "the user lacks a permission (NOPERM)"),
        "NOAUTH" => (Refused, "a password is required (NOAUTH)"),
        "WRONGPASS" => (Refused, LOGIN),
        "LOADING" | "BUSY" | "TRYAGAIN" | "CLUSTERDOWN" => (Unavailable, "not ready"),
        "MOVED" | "ASK" | "CROSSSLOT" => (Refused, "a Cluster: end the URL with a comma"),
        _ if says("DB index") => (Refused, "no such database (DB index is out of range)"),
        _ if says("in cluster mode") => (Refused, "a Cluster has only the database 0"),
        _ if says("cluster support disabled") => (Refused, "not a Cluster: remove the comma"),
        _ if says("number of clients") => (Unavailable, "too many clients (maxclients)"),
        _ => {
            let code = code.chars().filter(char::is_ascii_alphanumeric).take(32);
            return (Other, format!("the error {}", code.collect::<String>()));
        }
    };
    (kind, message.to_owned())
}

fn io_cause(cause: &io::Error, is_tls: bool) -> (TierErrorKind, String) {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let inner = cause.get_ref().and_then(|inner| inner.downcast_ref());
    let (kind, message) = match (inner, cause.kind()) {
        (Some(rustls::Error::InvalidCertificate(why)), _) => {
            return (Unsafe, format!("the certificate is not trusted: {why:?}"));
        }
        (Some(rustls::Error::InvalidMessage(_)), _) => {
            (Protocol, "not a TLS port; it needs redis://")
        }
        (Some(_), _) => (Protocol, "the TLS handshake failed"),
        (_, io::ErrorKind::TimedOut) => {
            let message = match cause.to_string() == CONNECTING {
                true if is_tls => "no TLS connection in time; a plain port needs redis://",
                true => "no connection in time",
                false => "no reply in time",
            };
            (Timeout, message)
        }
        (_, io::ErrorKind::ConnectionRefused) => (Unavailable, "connection refused"),
        // The first reply to plain text on a TLS port.
        (_, BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof) if !is_tls => {
            (Unavailable, "connection closed; a TLS port needs rediss://")
        }
        _ if cause.to_string().contains("lookup address") => (Unavailable, "no such host"),
        (_, kind) => return (Unavailable, kind.to_string()),
    };
    (kind, message.to_owned())
}

/// The crate stores its causes inside an `Arc`.
fn io_error(error: &RedisError) -> Option<&io::Error> {
    let cause = error.source()?;
    let inner = cause.downcast_ref::<Arc<dyn StdError + Send + Sync>>();
    inner
        .and_then(|inner| inner.downcast_ref())
        .or_else(|| cause.downcast_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_in_a_script_has_the_same_cause_in_redis_6_and_7() {
        // As 6.2.5 words it.
        let in_6 = "ERR Error running script (call to f_bd6b9b95): @user_script:1: ";
        for (kind, since_7, before) in [
            (
                TierErrorKind::Full,
                "OOM command not allowed when used memory > 'maxmemory'.",
                "@user_script: 1: -OOM command not allowed when used memory > 'maxmemory'.",
            ),
            (
                TierErrorKind::Unavailable,
                "READONLY You can't write against a read only replica.",
                "@user_script: 1: -READONLY You can't write against a read only replica.",
            ),
            (
                TierErrorKind::Corrupt,
                "WRONGTYPE Operation against a key holding the wrong kind of value",
                "WRONGTYPE Operation against a key holding the wrong kind of value",
            ),
            (
                TierErrorKind::Refused,
                "NOPERM User catalog has no permissions to run the 'set' command",
                "@user_script: 1: The user executing the script can't run this command or subcommand",
            ),
            (
                TierErrorKind::Refused,
                "NOPERM No permissions to access a key",
                "@user_script: 1: The user executing the script can't access at least one of the keys mentioned in the command arguments",
            ),
        ] {
            for text in [since_7.to_owned(), format!("{in_6}{before}")] {
                let reply = redis::parse_redis_value(format!("-{text}\r\n").as_bytes());
                let error = reply.unwrap().extract_error().unwrap_err();
                assert_eq!(cause(&error, false).0, kind, "{text}");
            }
        }
    }
}
