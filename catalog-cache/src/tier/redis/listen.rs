//! What other processes say they changed, and how it is said. A message that is missed is no harm: once
//! it listens again, the cache is told that there was a gap.
//!
//! A message is `1 WRITER NAMESPACE WHAT PATTERN`: the version of the message, who says it, whose
//! entries, what became of them (the time of a write, `-` for a removal, `?` for one that was not done to
//! the end), and which they are. That is no more than the names of the keys say. What is longer than
//! [`MAX_MESSAGE`], or of another version, is not read.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_lite::StreamExt;
use redis::aio::PubSub;

use super::fault::Fault;
use super::link::connect;
use super::options::RedisOptions;
use crate::entry::{from_millis, to_millis};
use crate::tier::{Change, Changed, Listener, News};
use crate::{Namespace, Pattern, TierError, TierErrorKind};

/// The version of the messages, their first word.
const VERSION: &str = "1";
/// The longest message, in bytes. A pattern that is too long for it is told as every key.
const MAX_MESSAGE: usize = 4096;

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
        pattern: &Pattern,
        change: Change,
    ) -> String {
        let what = match change {
            Change::Written(at) => to_millis(at).to_string(),
            Change::Removed => "-".to_owned(),
            Change::PartlyRemoved => "?".to_owned(),
        };
        let head = format!("{VERSION} {:x} {namespace} {what} ", self.writer());
        let pattern = pattern.write();
        if head.len() + pattern.len() > MAX_MESSAGE {
            return head + &Pattern::all().write();
        }
        head + &pattern
    }

    fn read(&self, message: &[u8]) -> Option<Changed> {
        if message.len() > MAX_MESSAGE {
            return None;
        }
        let mut words = std::str::from_utf8(message).ok()?.split(' ');
        let mut word = || words.next();
        if word()? != VERSION {
            return None;
        }
        let writer = u64::from_str_radix(word()?, 16).ok()?;
        let namespace = word()?.parse().ok()?;
        let change = match word()? {
            "-" => Change::Removed,
            "?" => Change::PartlyRemoved,
            at => Change::Written(from_millis(at.parse().ok()?)?),
        };
        let pattern = Pattern::read(words)?;
        let is_one = pattern.as_exact().is_some() || !matches!(change, Change::Written(_));
        (writer != self.writer() && is_one).then_some(Changed {
            namespace,
            pattern,
            change,
        })
    }

    /// Listens as long as the runtime is there, if anybody wants to know.
    pub(super) async fn listen(self, options: RedisOptions) {
        let Some(listener) = self.listener() else {
            return;
        };
        let [first, most] = PAUSES;
        let (mut pause, mut turn, mut is_said) = (first, 0, false);
        loop {
            let Some(node) = options.nodes.get(turn % options.nodes.len().max(1)) else {
                return;
            };
            turn += 1;
            let subscribing = async {
                let stream = connect(node).await.map_err(redis::RedisError::from)?;
                let mut heard = PubSub::new(node.redis_settings(), stream).await?;
                heard.subscribe(&*self.channel).await?;
                // As after each silence. A refusal is an answer too: the server is there.
                heard.ping::<redis::Value>().await?;
                Ok::<_, Fault>(heard)
            };
            match tokio::time::timeout(PATIENCE, subscribing).await {
                Ok(Ok(heard)) => {
                    pause = first;
                    listener(News::Gap);
                    self.hear(heard, &listener).await;
                }
                // Nobody waits for this, so nobody else would say it.
                Ok(Err(fault)) if fault.kind == TierErrorKind::Refused && !is_said => {
                    is_said = true;
                    let error = TierError::from(fault);
                    tracing::warn!(%error, "Redis does not let this user listen (SUBSCRIBE, the channel): what other processes change is noticed late");
                }
                _ => {}
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
                        listener(News::Changed(changed));
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
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::Key;

    #[test]
    fn messages_are_read_as_they_are_written() {
        let (one, other) = (Ear::new("c".into()), Ear::new("c".into()));
        let (namespace, key) = (Namespace::of(["x"]), Key::new("a", "b", "c d"));
        let exact = Pattern::exact(&key);
        let written = Change::Written(UNIX_EPOCH + Duration::from_millis(1_234));
        let told = |pattern: &Pattern, change| {
            let message = one.message(&namespace, pattern, change);
            assert_eq!(one.read(message.as_bytes()), None, "its own");
            assert!(message.len() <= MAX_MESSAGE);
            other.read(message.as_bytes())
        };
        let changed = |pattern: &Pattern, change| {
            Some(Changed {
                namespace,
                pattern: pattern.clone(),
                change,
            })
        };
        assert_eq!(told(&exact, written), changed(&exact, written));
        for pattern in [
            exact.clone(),
            Pattern::under(["a", "b c"]),
            Pattern::glob("a:*:?"),
            Pattern::all(),
            Pattern::any([Pattern::under(["a"]), exact]),
        ] {
            for change in [Change::Removed, Change::PartlyRemoved] {
                assert_eq!(told(&pattern, change), changed(&pattern, change));
            }
        }
        // What cannot be told as it is reaches further.
        let wide = told(&Pattern::glob("a b:é*"), Change::Removed).unwrap();
        assert_eq!(wide.pattern, Pattern::glob("a?b:??*"));
        let many = Pattern::any((0..300).map(|n| Pattern::under(["a", &format!("{n:020}")])));
        let wide = told(&many, Change::Removed);
        assert_eq!(wide, changed(&Pattern::all(), Change::Removed));
    }

    #[test]
    fn what_is_no_message_of_this_version_is_not_read() {
        let ear = Ear::new("c".into());
        let (zeros, far) = ("0".repeat(32), "9".repeat(20));
        let long = format!("1 1 {zeros} - *{}", "a".repeat(MAX_MESSAGE));
        assert!(ear.read(format!("1 1 {zeros} - *a").as_bytes()).is_some());
        for garbage in [
            "".to_owned(),
            "1".to_owned(),
            "1 2 3 4 5".to_owned(),
            "1 zz - - -".to_owned(),
            // Of another version, also of what was said before messages had one.
            format!("2 1 {zeros} - *a"),
            format!("1 {zeros} - a:b:c"),
            // Nothing, no key, a word of another kind, a time beyond all, one write of many keys.
            format!("1 1 {zeros} -"),
            format!("1 1 {zeros} - =a"),
            format!("1 1 {zeros} - !a"),
            format!("1 1 {zeros} - é"),
            format!("1 1 {zeros} {far} =a:b:c"),
            format!("1 1 {zeros} 7 *a"),
            long,
        ] {
            assert_eq!(ear.read(garbage.as_bytes()), None, "{garbage}");
        }
    }
}
