//! What other processes say they changed, and how it is said. A message that is missed is no harm: the
//! tiers above ask below from time to time.
//!
//! A message is `WRITER NAMESPACE TIME KEY`, or `-` for the time of a removal: no more than the names
//! of the keys say.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_lite::StreamExt;
use redis::aio::PubSub;

use super::fault::Fault;
use super::link::connect;
use super::options::RedisOptions;
use crate::cache::tier::{Changed, Listener};
use crate::cache::{Key, Namespace};

/// How long is waited before the next try, at first and at most.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(30)];
/// After so long a silence the server is asked whether it is there.
const SILENCE: Duration = Duration::from_secs(60);
/// How long connecting and such a question may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who listens, to which channel. Clones are the same.
#[derive(Clone)]
pub(super) struct Ear {
    channel: Arc<str>,
    /// This tier's own messages are no news; with the process it makes a name.
    seed: RandomState,
    listener: Arc<Mutex<Option<Listener>>>,
}

impl Ear {
    pub(super) fn new(channel: String) -> Self {
        Self {
            channel: channel.into(),
            seed: RandomState::new(),
            listener: Arc::default(),
        }
    }

    /// Another one after a fork, of which both sides have the seed.
    fn writer(&self) -> u64 {
        self.seed.hash_one(std::process::id())
    }

    pub(super) fn channel(&self) -> &str {
        &self.channel
    }

    pub(super) fn set(&self, listener: Listener) {
        *self.listener.lock().unwrap_or_else(PoisonError::into_inner) = Some(listener);
    }

    fn listener(&self) -> Option<Listener> {
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        listener.clone()
    }

    pub(super) fn message(
        &self,
        namespace: &Namespace,
        key: &Key,
        written_at: Option<SystemTime>,
    ) -> String {
        let at = written_at.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let at = at.map_or("-".to_owned(), |at| at.as_millis().to_string());
        format!("{:x} {namespace} {at} {key}", self.writer())
    }

    fn read(&self, message: &[u8]) -> Option<Changed> {
        let mut words = std::str::from_utf8(message).ok()?.split(' ');
        let mut word = || words.next();
        let writer = u64::from_str_radix(word()?, 16).ok()?;
        let namespace = word()?.parse().ok()?;
        let written_at = match word()? {
            "-" => None,
            at => Some(UNIX_EPOCH.checked_add(Duration::from_millis(at.parse().ok()?))?),
        };
        let key = Key::parse(word()?)?;
        (writer != self.writer() && word().is_none()).then_some(Changed {
            namespace,
            key,
            written_at,
        })
    }

    /// Listens as long as the runtime is there, if anybody wants to know.
    pub(super) async fn listen(self, options: RedisOptions) {
        let Some(listener) = self.listener() else {
            return;
        };
        let [first, most] = PAUSES;
        let (mut pause, mut turn) = (first, 0);
        loop {
            let Some(node) = options.nodes.get(turn % options.nodes.len().max(1)) else {
                return;
            };
            turn += 1;
            let subscribing = async {
                let stream = connect(node).await.map_err(redis::RedisError::from)?;
                let mut heard = PubSub::new(node.redis_settings(), stream).await?;
                heard.subscribe(&*self.channel).await?;
                Ok::<_, Fault>(heard)
            };
            if let Ok(Ok(heard)) = tokio::time::timeout(PATIENCE, subscribing).await {
                pause = first;
                self.hear(heard, &listener).await;
            }
            tracing::debug!("not told of changes in Redis for a while");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(most);
        }
    }

    /// Until the connection is of no more use.
    async fn hear(&self, heard: PubSub, listener: &Listener) {
        let (mut sink, mut messages) = heard.split();
        loop {
            match tokio::time::timeout(SILENCE, messages.next()).await {
                Ok(Some(message)) => {
                    if let Some(changed) = self.read(message.get_payload_bytes()) {
                        listener(changed);
                    }
                }
                Ok(None) => return,
                Err(_) => {
                    let ping = tokio::time::timeout(PATIENCE, sink.ping::<redis::Value>());
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
    use super::*;

    #[test]
    fn messages_are_read_as_they_are_written() {
        let (one, other) = (Ear::new("c".into()), Ear::new("c".into()));
        let (namespace, key) = (Namespace::of(["x"]), Key::new("a", "b", "c d"));
        for written_at in [None, Some(UNIX_EPOCH + Duration::from_millis(1_234))] {
            let message = one.message(&namespace, &key, written_at);
            let changed = other.read(message.as_bytes()).unwrap();
            assert_eq!(
                (changed.namespace, changed.written_at),
                (namespace, written_at)
            );
            assert_eq!(changed.key, key);
            assert_eq!(one.read(message.as_bytes()), None, "its own");
        }
        let (zeros, far) = ("0".repeat(32), "9".repeat(20));
        let long = format!("1 {zeros} - a b");
        let late = format!("1 {zeros} {far} a");
        for garbage in ["", "1", "1 2 3 4", "zz - - -", &long, &late] {
            assert_eq!(other.read(garbage.as_bytes()), None, "{garbage}");
        }
    }
}
