//! What must happen at once in Redis, as Lua scripts. All keys of a script are those of one entry, so
//! they are in one slot of a Cluster.
//!
//! Order between processes is by numbers that Redis gives: the server's microseconds, and always more
//! than the last number of the key, so that they grow also where the counter was lost. A computation
//! draws one when it begins; what it stores is refused when its number is below the key's floor, which
//! is the number of the latest computation stored, or of the latest removal. So who lost its lease
//! cannot overwrite what a later one stored, and nothing removed comes back.

use std::sync::Arc;

use redis::{ErrorKind, Script, ServerErrorKind, Value};

use super::fault::Fault;
use super::link::Connection;

/// A script: its text, and the hash by which a server knows it that has run it before.
#[derive(Debug, Clone)]
pub(super) struct Lua {
    text: &'static str,
    hash: Arc<str>,
}

impl Lua {
    fn new(text: &'static str) -> Self {
        let hash = Script::new(text).get_hash().into();
        Self { text, hash }
    }
}

/// A script with its keys and arguments.
pub(super) struct Call {
    script: Lua,
    keys: Vec<Vec<u8>>,
    args: Vec<Vec<u8>>,
}

impl Call {
    pub(super) fn new(script: &Lua) -> Self {
        Self {
            script: script.clone(),
            keys: Vec::new(),
            args: Vec::new(),
        }
    }

    pub(super) fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.keys.push(key.into());
        self
    }

    pub(super) fn arg(mut self, arg: impl Into<Vec<u8>>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Runs it. A server that does not know it yet is sent its text; only the one that was asked: of
    /// the others of a Cluster one may be away.
    pub(super) async fn on(self, mut connection: Connection) -> Result<Value, Fault> {
        let command = |name: &str, script: &str| {
            let mut command = redis::cmd(name);
            command.arg(script).arg(self.keys.len());
            command.arg(&self.keys).arg(&self.args);
            command
        };
        let known = command("EVALSHA", &self.script.hash);
        match known.query_async(&mut connection).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                let new = command("EVAL", self.script.text);
                Ok(new.query_async(&mut connection).await?)
            }
            answer => Ok(answer?),
        }
    }
}

/// With what several scripts begin: `draw` takes the next number of the key, `raise` sets its floor.
macro_rules! script {
    ($body:literal) => {
        Lua::new(concat!(
            r"
local function clock()
  local t = redis.call('TIME')
  return t[1] * 1000000 + t[2]
end
local function text(n) return string.format('%.0f', n) end
local function draw(fence, ttl)
  local last = tonumber(redis.call('HGET', fence, 'last')) or 0
  local n = math.max(clock(), last + 1)
  redis.call('HSET', fence, 'last', text(n))
  redis.call('PEXPIRE', fence, ttl)
  return n
end
local function raise(fence, n, ttl)
  redis.call('HSET', fence, 'floor', text(n))
  redis.call('PEXPIRE', fence, ttl)
end
",
            $body
        ))
    };
}

/// All of them.
#[derive(Debug)]
pub(super) struct Scripts {
    /// `entry; max` → the bytes, or their number where it is above `max`.
    pub(super) get: Lua,
    /// `entry, fence; bytes, px, written_at, latest, now, token, at, max, ttl, channel, message`
    ///
    /// → 0 stored; 1 and the bytes of what stays; 2 removed since. An entry there that was written
    /// later stays, but for one written after `latest`, or expired at `now`: what is written there by a
    /// clock that is wrong must not stay for ever. A computation has a `token`, or else `at`, the
    /// milliseconds of its beginning; both are empty for what was not computed. `max` of 0: whatever
    /// is there does not stay.
    pub(super) put: Lua,
    /// `entry, fence; ttl`, and to tell of it `channel, message` → whether there was one.
    pub(super) remove: Lua,
    /// `entry; head` → whether it still began so, and is gone now.
    pub(super) remove_same: Lua,
    /// `fence, lease; px, ttl` → the number, or nothing where it is held.
    pub(super) lease: Lua,
    /// `lease; token, px` → whether it is still held, and is for so long from now on.
    pub(super) extend: Lua,
    /// `lease; token` → whether it was still held.
    pub(super) release: Lua,
    /// `fence; ttl` → a number.
    pub(super) draw: Lua,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            get: Lua::new(
                r"
local n = redis.call('STRLEN', KEYS[1])
if n > tonumber(ARGV[1]) then return n end
return redis.call('GET', KEYS[1])
",
            ),
            put: script!(
                r#"
local entry, fence = KEYS[1], KEYS[2]
local bytes, px, written, latest, now = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local token, at, max, ttl = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9]
local there
if max > 0 and redis.call('TYPE', entry)['ok'] == 'string' then
  local head = redis.call('GETRANGE', entry, 0, 4095)
  local by = tonumber(string.match(head, '"written_at":(%d+)'))
  local keep = tonumber(string.match(head, '"keep_for":(%d+)'))
  if by and keep and by <= latest and now < by + keep then there = by end
end
local function stays() return there and redis.call('STRLEN', entry) <= max end
local number
if token or at then
  local floor = tonumber(redis.call('HGET', fence, 'floor')) or 0
  number = token or math.min(at * 1000, clock())
  local overtaken = number < floor
  -- A number whose counter is gone, evicted or lost in a restart, says nothing: the clock has to do.
  local counted = token and redis.call('EXISTS', fence) == 1
  if (overtaken or (not counted and there and at and there > at)) and stays() then
    return {1, redis.call('GET', entry)}
  end
  if overtaken then return {2} end
else
  if there and there > written and stays() then return {1, redis.call('GET', entry)} end
  if redis.call('EXISTS', fence) == 1 then number = draw(fence, ttl) end
end
if number then raise(fence, number, ttl) end
redis.call('SET', entry, bytes, 'PX', px)
redis.pcall('PUBLISH', ARGV[10], ARGV[11])
return {0}
"#
            ),
            remove: script!(
                r"
local n = redis.call('UNLINK', KEYS[1])
-- Also where there was none: others may hold what is gone from here.
if ARGV[3] then redis.pcall('PUBLISH', ARGV[2], ARGV[3]) end
if n > 0 then
  raise(KEYS[2], draw(KEYS[2], ARGV[1]), ARGV[1])
elseif redis.call('EXISTS', KEYS[2]) == 1 then
  -- Somebody may be computing, whose number keeps the counter for as long as that takes. No longer:
  -- else whoever removes what is not there would keep it for ever.
  local last = tonumber(redis.call('HGET', KEYS[2], 'last')) or 0
  local now = text(math.max(clock(), last + 1))
  redis.call('HSET', KEYS[2], 'last', now, 'floor', now)
end
return n
"
            ),
            remove_same: Lua::new(
                r"
if redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])
",
            ),
            lease: script!(
                r"
if redis.call('EXISTS', KEYS[2]) == 1 then return false end
local n = text(draw(KEYS[1], ARGV[2]))
redis.call('SET', KEYS[2], n, 'NX', 'PX', ARGV[1])
return n
"
            ),
            extend: Lua::new(
                r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
",
            ),
            release: Lua::new(
                r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])
",
            ),
            draw: script!("return text(draw(KEYS[1], ARGV[1]))"),
        }
    }
}
