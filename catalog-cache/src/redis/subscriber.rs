//! Notifications of other processes' changes, over a connection of their own.
//!
//! A message is `1 SENDER NAMESPACE CHANGE PATTERN`: the version, the sender, the namespace, the time of a
//! write or `-` for a removal, and the keys. Messages of another version, and longer ones than
//! [`MAX_MESSAGE`], are ignored. Lost messages do no harm: after each (re)connection the listener
//! receives [`ChangeEvent::Gap`].

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use redis::RedisResult;
use redis::aio::PubSub;
use tokio::time::timeout;

use super::connection::client;
use super::error::describe;
use super::options::RedisOptions;
use crate::entry::{from_millis, to_millis};
use crate::sync::{Mutex, lock};
use crate::{ChangeEvent, Listener, Namespace, Pattern, TierErrorKind};

/// The version of the messages.
const VERSION: &str = "1";
/// The longest message, in bytes. A longer pattern is sent as every key.
const MAX_MESSAGE: usize = 4096;

/// The pauses before attempts to connect, the first and the longest. The first operation of a process is
/// faster alone.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(30)];
/// After this long without a message, a `PING` checks the connection.
const SILENCE: Duration = Duration::from_secs(60);
/// The limit of connecting, and of a `PING`.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);

/// The subscriber of one tier. Clones share it.
#[derive(Clone)]
pub(super) struct Subscriber {
    channel: Arc<str>,
    /// With the process id, it identifies this tier's own messages.
    seed: RandomState,
    listeners: Arc<Mutex<Vec<Listener>>>,
}

impl Subscriber {
    pub(super) fn new(channel: String) -> Self {
        Self {
            channel: channel.into(),
            seed: RandomState::new(),
            listeners: Arc::default(),
        }
    }

    /// A number of this tier in this process; a fork has another one.
    pub(super) fn sender(&self) -> u64 {
        self.seed.hash_one(std::process::id())
    }

    pub(super) fn channel(&self) -> &str {
        &self.channel
    }

    /// Adds a listener; whether it is the first.
    pub(super) fn add(&self, listener: Listener) -> bool {
        let mut listeners = lock(&self.listeners);
        listeners.push(listener);
        listeners.len() == 1
    }

    fn notify(&self, event: &ChangeEvent) {
        let listeners = lock(&self.listeners).clone();
        for listener in listeners {
            listener(event.clone());
        }
    }

    /// The message about a write at this time, or a removal.
    pub(super) fn message(
        &self,
        namespace: &Namespace,
        pattern: &Pattern,
        written_at: Option<SystemTime>,
    ) -> String {
        let change = written_at.map_or("-".to_owned(), |at| to_millis(at).to_string());
        let head = format!("{VERSION} {:x} {namespace} {change} ", self.sender());
        let pattern = pattern.write();
        if head.len() + pattern.len() > MAX_MESSAGE {
            return head + &Pattern::all().write();
        }
        head + &pattern
    }

    /// The change of a message from another tier.
    fn read(&self, message: &[u8]) -> Option<ChangeEvent> {
        if message.len() > MAX_MESSAGE {
            return None;
        }
        let mut words = std::str::from_utf8(message).ok()?.split(' ');
        if words.next()? != VERSION {
            return None;
        }
        let sender = u64::from_str_radix(words.next()?, 16).ok()?;
        let namespace = words.next()?.parse().ok()?;
        let change = words.next()?;
        let pattern = Pattern::read(words)?;
        let event = match change {
            "-" => ChangeEvent::Removed { namespace, pattern },
            written_at => ChangeEvent::Written {
                namespace,
                key: pattern.as_exact()?.clone(),
                written_at: from_millis(written_at.parse().ok()?)?,
            },
        };
        (sender != self.sender()).then_some(event)
    }

    /// Passes changes to the listeners, if there are any, as long as the runtime lives.
    pub(super) async fn run(self, options: Arc<RedisOptions>) {
        if lock(&self.listeners).is_empty() {
            return;
        }
        let [first, longest] = PAUSES;
        let (mut pause, mut is_logged) = (first, false);
        // In a Cluster every node passes on the messages of all, and any may be away.
        for node in options.nodes.iter().cycle() {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
            let subscribing = async {
                let mut connection = client(&options, node)?.get_async_pubsub().await?;
                connection.subscribe(&*self.channel).await?;
                RedisResult::Ok(connection)
            };
            match timeout(REPLY_TIMEOUT, subscribing).await {
                Ok(Ok(connection)) => {
                    pause = first;
                    self.notify(&ChangeEvent::Gap);
                    self.receive(connection).await;
                }
                // Operations do not show this error: they need other permissions.
                Ok(Err(error)) if !is_logged => {
                    let error = describe(&error, &options);
                    if error.kind() == TierErrorKind::Refused {
                        is_logged = true;
                        tracing::warn!(%error, "cannot subscribe to changes in Redis (SUBSCRIBE, the channel): changes by other processes are noticed late");
                    }
                }
                _ => {}
            }
            tracing::debug!("not subscribed to changes in Redis");
        }
    }

    /// Passes on messages until the connection fails.
    async fn receive(&self, connection: PubSub) {
        let (mut sink, mut messages) = connection.split();
        loop {
            match timeout(SILENCE, messages.next()).await {
                Ok(Some(message)) => {
                    if let Some(event) = self.read(message.get_payload_bytes()) {
                        self.notify(&event);
                    }
                }
                Ok(None) => return,
                Err(_) => {
                    let ping = timeout(REPLY_TIMEOUT, sink.ping::<redis::Value>());
                    if !matches!(ping.await, Ok(Ok(_))) {
                        return;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::Key;

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let (one, other) = (Subscriber::new("c".into()), Subscriber::new("c".into()));
        let (namespace, key) = (Namespace::of(["x"]), Key::new("a", "b", "c d"));
        let exact = Pattern::exact(&key);
        let pass = |pattern: &Pattern, written_at| {
            let message = one.message(&namespace, pattern, written_at);
            assert_eq!(one.read(message.as_bytes()), None, "its own");
            assert!(message.len() <= MAX_MESSAGE);
            other.read(message.as_bytes())
        };
        let removed = |pattern: Pattern| Some(ChangeEvent::Removed { namespace, pattern });
        let written_at = UNIX_EPOCH + Duration::from_millis(1_234);
        let written = ChangeEvent::Written {
            namespace,
            key,
            written_at,
        };
        assert_eq!(pass(&exact, Some(written_at)), Some(written));
        for pattern in [
            exact.clone(),
            Pattern::under(["a", "b c"]),
            Pattern::glob("a:*:?"),
            Pattern::all(),
            Pattern::any([Pattern::under(["a"]), exact]),
        ] {
            assert_eq!(pass(&pattern, None), removed(pattern));
        }
        // A pattern that does not fit is widened.
        let other_characters = pass(&Pattern::glob("a b:é*"), None);
        assert_eq!(other_characters, removed(Pattern::glob("a?b:??*")));
        let many = Pattern::any((0..300).map(|n| Pattern::under(["a", &format!("{n:020}")])));
        assert_eq!(pass(&many, None), removed(Pattern::all()));
    }

    #[test]
    fn garbage_and_other_versions_are_ignored() {
        let subscriber = Subscriber::new("c".into());
        let (zeros, far) = ("0".repeat(32), "9".repeat(20));
        let long = format!("1 1 {zeros} - *{}", "a".repeat(MAX_MESSAGE));
        let valid = format!("1 1 {zeros} - *a");
        assert!(subscriber.read(valid.as_bytes()).is_some());
        for garbage in [
            "".to_owned(),
            "1".to_owned(),
            "1 2 3 4 5".to_owned(),
            "1 zz - - -".to_owned(),
            format!("2 1 {zeros} - *a"),
            format!("1 {zeros} - a:b:c"),
            // No pattern, no key, an unknown kind, a time out of range, one write of many keys.
            format!("1 1 {zeros} -"),
            format!("1 1 {zeros} - =a"),
            format!("1 1 {zeros} - !a"),
            format!("1 1 {zeros} - é"),
            format!("1 1 {zeros} {far} =a:b:c"),
            format!("1 1 {zeros} 7 *a"),
            long,
        ] {
            assert_eq!(subscriber.read(garbage.as_bytes()), None, "{garbage}");
        }
    }
}
