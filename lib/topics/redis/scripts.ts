import { createHash } from 'node:crypto';

/** A script in Lua, which the server runs as one step. */
export interface Script {
  readonly text: string;
  /** The name under which the server knows it, after SCRIPT LOAD. */
  readonly sha: string;
}

function script(text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

/**
 * The beginning of both scripts. A topic has two keys: a stream with its messages, whose ids are `1-offset`, and a hash with its epoch (`e`),
 * its last offset (`n`) and the sum of all bytes (`s`), which is kept longer than the messages. A message has its time (`t`), the sum of all
 * bytes before it (`s`), and its text (`d`) or bytes (`b`).
 *
 * The server refuses the first command that needs memory if it has none left, but no command after one that has changed something. So the
 * first change must be one that needs memory.
 *
 * KEYS: stream, hash, epoch floor. ARGV: most messages, most bytes, greatest age, retention; -1 for no limit.
 */
const prelude = `
local messages, bytes, maxAge, retention = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function whole(number) return string.format('%.0f', number) end
local state = redis.call('HMGET', KEYS[2], 'e', 'n', 's')
local epoch, last, sum = state[1], tonumber(state[2] or 0), tonumber(state[3] or 0)
local floor = redis.call('GET', KEYS[3])
if not epoch then
  epoch = whole(time[1] * 1000000 + time[2])
  redis.call('HSET', KEYS[2], 'e', epoch, 'n', '0', 's', '0')
  redis.call('DEL', KEYS[1])
elseif floor and tonumber(floor) > tonumber(epoch) then
  -- The server may have lost the last messages: what was after a cursor is not known.
  epoch = floor
  redis.call('HSET', KEYS[2], 'e', epoch)
end
local function remember()
  if retention >= 0 then redis.call('PEXPIRE', KEYS[2], whole(retention)) end
end
-- Deletes what exceeds the limits, and returns the offset of the oldest message.
local function trim()
  while true do
    local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
    if not oldest then return whole(last + 1) end
    local aged = maxAge >= 0 and now - tonumber(oldest[2][2]) >= maxAge
    local tooMany = bytes >= 0 and sum - tonumber(oldest[2][4]) > bytes
    if not aged and not tooMany then return string.sub(oldest[1], 3) end
    redis.call('XDEL', KEYS[1], oldest[1])
  end
end
`;

/**
 * Adds a message, publishes it on a channel, and returns its cursor. A fourth key is that of a message that may be published again.
 * ARGV in addition: `d` or `b`, the message, the channel.
 */
export const publishScript = script(`${prelude}
if KEYS[4] then
  local known = redis.call('GET', KEYS[4])
  if known then return known end
end
local kind, data = ARGV[5], ARGV[6]
local offset = whole(last + 1)
if messages ~= 0 then
  if messages > 0 then
    redis.call('XADD', KEYS[1], 'MAXLEN', '=', whole(messages), '1-' .. offset, 't', whole(now), 's', whole(sum), kind, data)
  else
    redis.call('XADD', KEYS[1], '1-' .. offset, 't', whole(now), 's', whole(sum), kind, data)
  end
  if maxAge >= 0 then redis.call('PEXPIRE', KEYS[1], whole(maxAge)) end
end
last, sum = last + 1, sum + #data
redis.call('HSET', KEYS[2], 'n', offset, 's', whole(sum))
remember()
trim()
local id = epoch .. ':' .. offset
redis.call('PUBLISH', ARGV[7], id .. kind .. data)
if KEYS[4] then redis.call('SET', KEYS[4], id, 'PX', 120000) end
return id
`);

/**
 * Returns the epoch, the offset of the oldest message, the last offset, and messages after an offset, as XRANGE does.
 * ARGV in addition: the offset, the number of messages.
 */
export const readScript = script(`${prelude}
remember()
local first = trim()
local found = {}
if ARGV[6] ~= '0' then found = redis.call('XRANGE', KEYS[1], '(1-' .. ARGV[5], '+', 'COUNT', ARGV[6]) end
return { epoch, first, whole(last), found }
`);

/**
 * Run when the server does not know the scripts, which it forgets when it ends: so it has been started since, or is another one. If it may
 * have lost the last messages, every topic gets a new epoch. It has not if it appends to a file, and was not promoted from a replica.
 *
 * KEYS: run id, epoch floor.
 */
export const arrivalScript = `
local info = redis.call('INFO', 'everything')
local function field(name) return string.match(info, name .. ':([^\\r\\n]*)') end
local run, before = field('run_id'), redis.call('GET', KEYS[1])
if run == before then return end
local keepsAll = field('aof_enabled') == '1' and string.match(field('master_replid2') or '', '^0*$')
if before and not keepsAll then
  local time = redis.call('TIME')
  redis.call('SET', KEYS[2], string.format('%.0f', time[1] * 1000000 + time[2]))
end
redis.call('SET', KEYS[1], run)
`;
