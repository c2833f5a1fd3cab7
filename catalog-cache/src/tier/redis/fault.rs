//! What went wrong with a server, as the cache tells it apart. Nothing a server says is passed on but
//! the word that names its error: the rest may hold anything, and goes to logs.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::{TierError, TierErrorKind};

/// What an error in a script has in its text before Redis 7, and the word it begins with since.
const IN_A_SCRIPT: [(&str, &str); 4] = [
    (" -OOM ", "OOM"),
    (" -READONLY ", "READONLY"),
    (" WRONGTYPE ", "WRONGTYPE"),
    (" The user executing the script can't ", "NOPERM"),
];

/// A failure, which many may have waited for.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) kind: TierErrorKind,
    message: String,
    /// Whether the connection can go on being used.
    pub(super) keeps_connection: bool,
}

impl Fault {
    pub(super) fn timeout() -> Self {
        Self {
            kind: TierErrorKind::Timeout,
            message: "Redis did not answer in time".to_owned(),
            keeps_connection: false,
        }
    }

    /// What was asked for was answered, but not as it should be.
    pub(super) fn protocol(what: &str) -> Self {
        Self {
            kind: TierErrorKind::Protocol,
            message: format!("Redis answered {what}"),
            keeps_connection: false,
        }
    }

    pub(super) fn thread(error: &io::Error) -> Self {
        Self {
            kind: TierErrorKind::Unavailable,
            message: format!("the thread that asks Redis is not there: {error}"),
            keeps_connection: true,
        }
    }
}

impl From<Fault> for TierError {
    fn from(fault: Fault) -> Self {
        Self::new(fault.kind, fault.message)
    }
}

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Self {
        use TierErrorKind as Kind;
        let told = |kind, message: String, keeps_connection| Self {
            kind,
            message,
            keeps_connection,
        };
        if error.is_timeout() {
            return Self::timeout();
        }
        let detail = error.detail().unwrap_or_default();
        // Before Redis 7 a script's error is an `ERR`, and which one it is stands in its text.
        let code = error.code().map(|code| match code {
            "ERR" => IN_A_SCRIPT
                .into_iter()
                .find_map(|(text, word)| detail.contains(text).then_some(word))
                .unwrap_or(code),
            code => code,
        });
        match (code, error.kind()) {
            (Some("OOM"), _) => told(Kind::Full, "Redis is full".to_owned(), true),
            (Some("WRONGTYPE"), _) => told(
                Kind::Corrupt,
                "the entry is no text in Redis".to_owned(),
                true,
            ),
            (Some("READONLY" | "MASTERDOWN" | "NOREPLICAS" | "MISCONF"), _)
            | (_, ErrorKind::Server(ServerErrorKind::ReadOnly)) => {
                told(Kind::Unavailable, "Redis takes no writes".to_owned(), false)
            }
            (Some("NOPERM"), _) => told(
                Kind::Refused,
                "the ACL of this Redis user does not allow it".to_owned(),
                false,
            ),
            (Some("NOAUTH" | "WRONGPASS"), _) | (_, ErrorKind::AuthenticationFailed) => told(
                Kind::Refused,
                "Redis refuses these credentials".to_owned(),
                false,
            ),
            (Some("LOADING" | "BUSY" | "TRYAGAIN" | "CLUSTERDOWN"), _) => {
                told(Kind::Unavailable, "Redis is not ready".to_owned(), false)
            }
            (_, ErrorKind::Parse | ErrorKind::UnexpectedReturnType) => {
                Self::protocol("what cannot be read")
            }
            (_, ErrorKind::Io | ErrorKind::ClusterConnectionNotFound) => {
                match io_cause(&error).map(io::Error::kind) {
                    Some(io::ErrorKind::InvalidData) => Self::protocol("beyond all bounds"),
                    Some(kind) => {
                        let message = format!("Redis cannot be reached: {kind}");
                        told(Kind::Unavailable, message, false)
                    }
                    None => told(
                        Kind::Unavailable,
                        "Redis cannot be reached".to_owned(),
                        false,
                    ),
                }
            }
            (Some(_), _) if detail.contains("max number of clients") => told(
                Kind::Unavailable,
                "Redis has too many clients".to_owned(),
                false,
            ),
            (Some(code), _) => {
                let word: String = code
                    .chars()
                    .filter(char::is_ascii_alphanumeric)
                    .take(32)
                    .collect();
                told(
                    Kind::Other,
                    format!("Redis answered the error {word}"),
                    true,
                )
            }
            (None, _) => told(Kind::Other, "Redis could not be asked".to_owned(), false),
        }
    }
}

/// The crate shows its causes inside an `Arc`.
fn io_cause(error: &RedisError) -> Option<&io::Error> {
    let cause = error.source()?;
    let inside = cause.downcast_ref::<Arc<dyn StdError + Send + Sync>>();
    inside
        .and_then(|inside| inside.downcast_ref())
        .or_else(|| cause.downcast_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_in_a_script_is_told_by_redis_6_as_by_7() {
        // As 6.2.5 says it. Its servers are on no machine that runs these tests as a rule.
        let by_6 = "ERR Error running script (call to f_bd6b9b95): @user_script:1: ";
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
            for text in [since_7.to_owned(), format!("{by_6}{before}")] {
                let answer = redis::parse_redis_value(format!("-{text}\r\n").as_bytes());
                let error = answer.unwrap().extract_error().unwrap_err();
                assert_eq!(Fault::from(error).kind, kind, "{text}");
            }
        }
    }

    #[test]
    fn the_cause_of_a_broken_connection_is_told() {
        for (kind, is) in [
            (io::ErrorKind::InvalidData, TierErrorKind::Protocol),
            (io::ErrorKind::ConnectionRefused, TierErrorKind::Unavailable),
            (io::ErrorKind::TimedOut, TierErrorKind::Timeout),
        ] {
            let fault = Fault::from(RedisError::from(io::Error::new(kind, "why")));
            assert_eq!(fault.kind, is, "{kind}");
            assert!(!fault.keeps_connection);
        }
    }
}
