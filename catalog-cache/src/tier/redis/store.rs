//! Entries on their way to and from a server: what is asked, and what the answers mean.

use bytes::Bytes;
use redis::Value;

use super::fault::Fault;
use super::scripts::Call;
use super::{FENCE_FOR, RedisTier};
use crate::entry::{duration_millis, to_millis};
use crate::tier::{Begun, Change, Found, Receipt, TierError, TierErrorKind};
use crate::{CLOCK_SKEW, Entry, Key, Namespace, Pattern};

impl RedisTier {
    pub(super) fn getting(&self, namespace: &Namespace, key: &Key) -> Call {
        Call::new(&self.shared.scripts.get)
            .key(self.names.entry(namespace, key))
            .arg(self.codec.max_len().to_string())
    }

    pub(super) fn got(
        &self,
        namespace: &Namespace,
        key: &Key,
        answer: Result<Value, Fault>,
    ) -> Result<Option<Found>, TierError> {
        match answer? {
            Value::Nil => Ok(None),
            Value::Int(is) if usize::try_from(is).is_ok_and(|is| is > self.codec.max_len()) => {
                Err(self.too_large(is))
            }
            Value::BulkString(bytes) => {
                let entry = self.codec.decode(Bytes::from(bytes), namespace, key)?;
                Ok(Some(Found::new(entry, None)))
            }
            _ => Err(Fault::protocol("another kind of value").into()),
        }
    }

    fn too_large(&self, is: i64) -> TierError {
        let may = self.codec.max_len();
        let message = format!("the entry has {is} bytes, allowed are {may}");
        TierError::new(TierErrorKind::TooLarge, message)
    }

    /// `keeps` says whether an entry that is there may stay.
    pub(super) fn putting(
        &self,
        entry: &Entry,
        bytes: Vec<u8>,
        begun: Option<&Begun>,
        keeps: bool,
    ) -> Call {
        let envelope = entry.envelope();
        let (namespace, key) = (&envelope.namespace, &envelope.key);
        let now = self.clock.now();
        let latest = now.checked_add(CLOCK_SKEW).unwrap_or(now);
        // At least a moment: whether it has expired is for the cache to say, by its own clock.
        let px = duration_millis(envelope.horizons.keep_for).max(1);
        let token = begun.and_then(|begun| begun.token);
        let at = begun.map(|begun| to_millis(begun.at).to_string());
        Call::new(&self.shared.scripts.put)
            .key(self.names.entry(namespace, key))
            .key(self.names.fence(namespace, key))
            .arg(bytes)
            .arg(px.to_string())
            .arg(to_millis(envelope.written_at).to_string())
            .arg(to_millis(latest).to_string())
            .arg(to_millis(now).to_string())
            .arg(token.map(|token| token.to_string()).unwrap_or_default())
            .arg(at.unwrap_or_default())
            .arg(if keeps { self.codec.max_len() } else { 0 }.to_string())
            .arg(FENCE_FOR.as_millis().to_string())
            .arg(self.worker().ear().channel().to_owned())
            .arg(self.message(
                namespace,
                &Pattern::exact(key),
                Change::Written(envelope.written_at),
            ))
    }

    /// What became of a write; `None` where what stays there cannot be read, and should not stay.
    pub(super) fn put_is_done(
        &self,
        entry: &Entry,
        receipt: Receipt,
        answer: Result<Value, Fault>,
    ) -> Result<Option<Receipt>, TierError> {
        let unexpected = || Err(Fault::protocol("another kind of value").into());
        let Value::Array(answer) = answer? else {
            return unexpected();
        };
        match (answer.first(), answer.get(1)) {
            (Some(Value::Int(0)), _) => Ok(Some(receipt)),
            (Some(Value::Int(1)), Some(Value::BulkString(there))) => {
                let envelope = entry.envelope();
                let there = Bytes::copy_from_slice(there);
                let there = self.codec.decode(there, &envelope.namespace, &envelope.key);
                Ok(there.ok().map(|there| Receipt {
                    superseded_by: Some(there),
                    ..Receipt::default()
                }))
            }
            (Some(Value::Int(2)), _) => Ok(Some(Receipt {
                removed_since: true,
                ..Receipt::default()
            })),
            _ => unexpected(),
        }
    }

    pub(super) fn store(&self, entry: &Entry, begun: Option<&Begun>) -> Result<Receipt, TierError> {
        let encoded = self.codec.encode(entry)?;
        let receipt = || Receipt {
            bytes: encoded.bytes.len() as u64,
            saved: encoded.saved,
            ..Receipt::default()
        };
        for keeps in [true, false] {
            let call = self.putting(entry, encoded.bytes.clone(), begun, keeps);
            let answer = self.worker().ask(move |connection| call.on(connection));
            if let Some(receipt) = self.put_is_done(entry, receipt(), answer)? {
                return Ok(receipt);
            }
        }
        Err(Fault::protocol("what it was told not to").into())
    }
}
