//! The operations that must be atomic, as Lua scripts. All keys of a script belong to one entry, so a
//! Cluster runs it on one server.
//!
//! Two rules order the writes of processes. An entry never replaces one with a later `written_at`. The
//! holder of a lease also has a fencing token, and is refused below the key's floor: a later token has
//! stored, or the entry was written without a token or removed since.

use redis::{Cmd, ToRedisArgs};

/// A call of a script. The whole text is sent each time: it is a kilobyte at most, and a restarted
/// server needs no second attempt.
pub(super) fn call<const N: usize>(script: &str, keys: [impl ToRedisArgs; N]) -> Cmd {
    let mut cmd = redis::cmd("EVAL");
    cmd.arg(script).arg(N).arg(&keys[..]);
    cmd
}

/// `KEYS` entry; `ARGV` max. Returns the entry or nothing; an error `TOOLARGE` beyond `max` bytes.
pub(super) const GET: &str = r"
if redis.call('STRLEN', KEYS[1]) > tonumber(ARGV[1]) then return redis.error_reply('TOOLARGE entry') end
return redis.call('GET', KEYS[1])
";

/// `KEYS` entry, fence; `ARGV` bytes, px, written_at, latest, now, max, token, fence_px, channel, message.
///
/// Returns `{0, ""}` if stored, `{1, entry}` if the entry there stays, `{2, ""}` if it was removed after
/// the token was issued. A later entry stays while it has not expired at `now`, and only if it was written
/// before `latest`, which allows for clock skew.
pub(super) const PUT: &str = r#"
local entry, fence = KEYS[1], KEYS[2]
local written, latest, now, token = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[7])
local there = redis.call('TYPE', entry).ok == 'string'
local kind = redis.call('TYPE', fence).ok
-- Not unconditionally: after its first write a script may exceed maxmemory.
if kind ~= 'hash' and kind ~= 'none' then redis.call('UNLINK', fence) end
local stays
if token and token < tonumber(redis.call('HGET', fence, 'floor') or 0) then
  if not there then return {2, ''} end
  stays = true
elseif there then
  local head = redis.call('GETRANGE', entry, 0, 4095)
  local at = tonumber(string.match(head, '"written_at":(%d+)'))
  local keep = tonumber(string.match(head, '"keep_for":(%d+)'))
  stays = at and keep and at > written and at <= latest and now < at + keep
end
if stays then return {1, redis.call('GETRANGE', entry, 0, ARGV[6])} end
if token then
  redis.call('HSET', fence, 'floor', token)
  redis.call('PEXPIRE', fence, ARGV[8])
elseif kind == 'hash' then
  redis.call('HSET', fence, 'floor', redis.call('HINCRBY', fence, 'last', 1))
end
redis.call('SET', entry, ARGV[1], 'PX', ARGV[2])
redis.pcall('PUBLISH', ARGV[9], ARGV[10])
return {0, ''}
"#;

/// `KEYS` entry, fence; `ARGV` channel, message, or nothing. Returns the number of removed entries, and
/// publishes in any case: other processes may hold what Redis has evicted.
pub(super) const REMOVE: &str = r"
local removed = redis.call('UNLINK', KEYS[1])
if redis.call('TYPE', KEYS[2]).ok == 'hash' then
  redis.call('HSET', KEYS[2], 'floor', redis.call('HINCRBY', KEYS[2], 'last', 1))
end
if ARGV[2] then redis.pcall('PUBLISH', ARGV[1], ARGV[2]) end
return removed
";

/// `KEYS` entry; `ARGV` head. Removes the entry if it still begins with `head`.
pub(super) const REMOVE_SAME: &str = r"
if redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])
";

/// `KEYS` entry. Returns its first 4096 bytes and its length, which is 0 for another type.
pub(super) const HEAD: &str = r"
if redis.call('TYPE', KEYS[1]).ok ~= 'string' then return {'', 0} end
return {redis.call('GETRANGE', KEYS[1], 0, 4095), redis.call('STRLEN', KEYS[1])}
";

/// `KEYS` lease, fence; `ARGV` owner, px, fence_px. Returns the fencing token, or nothing if another
/// owner holds the lease. The same owner may repeat the call after a lost reply.
pub(super) const LEASE: &str = r"
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) and redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return false
end
local kind = redis.call('TYPE', KEYS[2]).ok
if kind ~= 'hash' and kind ~= 'none' then redis.call('UNLINK', KEYS[2]) end
local token = redis.call('HINCRBY', KEYS[2], 'last', 1)
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return token
";

/// `KEYS` lease; `ARGV` owner. Returns whether this owner held the lease.
pub(super) const RELEASE: &str = r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])
";
