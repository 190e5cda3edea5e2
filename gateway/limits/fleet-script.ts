/**
 * What the pods of a fleet share, as one script that Redis runs atomically; its first argument says what is to be done.
 *
 * Each pod counts its connections in a hash of its own that expires unless the pod is heard of, and is entered in the
 * route's list of pods: so the connections of a pod that died come back by themselves. Buckets are those of `bucket.ts`, in
 * the same whole numbers, on the clock of Redis, which all pods share. Numbers are written out, since Lua would write
 * large ones with an exponent.
 */
export const FLEET_SCRIPT = `
local op = ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function text(number) return string.format('%.0f', number) end

local function enter(pods, pod, ttl)
  redis.call('ZADD', pods, text(now), pod)
  redis.call('PEXPIRE', pods, ttl)
  redis.call('PEXPIRE', pods .. ':' .. pod, ttl)
end

-- KEYS: pods. ARGV: pod, ttl, mode, then field and limit of each count ('' for none).
-- The place of the first count that is at its limit, or 0; counted when 0 or when mode is Report.
if op == 'acquire' then
  local pods, pod, ttl, mode = KEYS[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
  redis.call('ZREMRANGEBYSCORE', pods, '-inf', text(now - ttl))
  local alive = redis.call('ZRANGE', pods, 0, -1)
  local exceeded = 0
  for i = 5, #ARGV, 2 do
    local limit = tonumber(ARGV[i + 1])
    if limit and exceeded == 0 then
      local sum = 0
      for _, one in ipairs(alive) do
        sum = sum + tonumber(redis.call('HGET', pods .. ':' .. one, ARGV[i]) or '0')
      end
      if sum >= limit then exceeded = (i - 3) / 2 end
    end
  end
  if exceeded == 0 or mode == 'Report' then
    for i = 5, #ARGV, 2 do redis.call('HINCRBY', pods .. ':' .. pod, ARGV[i], 1) end
    enter(pods, pod, ttl)
  end
  return exceeded
end

-- KEYS: pods. ARGV: pod, then fields.
if op == 'release' then
  local own = KEYS[1] .. ':' .. ARGV[2]
  for i = 3, #ARGV do
    if redis.call('HINCRBY', own, ARGV[i], -1) <= 0 then redis.call('HDEL', own, ARGV[i]) end
  end
  return 0
end

-- KEYS: pods. ARGV: pod, ttl. 1 when the pod's counts are there; otherwise they have to be published.
if op == 'beat' then
  enter(KEYS[1], ARGV[2], tonumber(ARGV[3]))
  return redis.call('EXISTS', KEYS[1] .. ':' .. ARGV[2])
end

-- KEYS: pods. ARGV: pod. What was counted for this pod is forgotten.
if op == 'clear' then
  redis.call('DEL', KEYS[1] .. ':' .. ARGV[2])
  return 0
end

-- KEYS: pods. ARGV: pod, ttl, then field and count.
if op == 'publish' then
  for i = 4, #ARGV, 2 do redis.call('HSET', KEYS[1] .. ':' .. ARGV[2], ARGV[i], ARGV[i + 1]) end
  enter(KEYS[1], ARGV[2], tonumber(ARGV[3]))
  return 0
end

local function level(key, gain, full)
  local bucket = redis.call('HMGET', key, 'level', 'at')
  if not bucket[1] then return full end
  return math.min(full, tonumber(bucket[1]) + math.max(0, now - tonumber(bucket[2])) * gain)
end

-- A bucket is kept until it is full, for then it is like a new one.
local function keep(key, value, gain, full)
  redis.call('HSET', key, 'level', text(value), 'at', text(now))
  redis.call('PEXPIRE', key, text(math.ceil((full - value) / gain) + 1000))
end

-- KEYS: buckets. ARGV: gain, cost and full of each. Takes one token of each, or of none.
-- The place of the first bucket that is empty, or 0.
if op == 'take' then
  local levels = {}
  for i, key in ipairs(KEYS) do
    local gain, cost, full = tonumber(ARGV[i * 3 - 1]), tonumber(ARGV[i * 3]), tonumber(ARGV[i * 3 + 1])
    levels[i] = level(key, gain, full) - cost
    if levels[i] < 0 then return i end
  end
  for i, key in ipairs(KEYS) do keep(key, levels[i], tonumber(ARGV[i * 3 - 1]), tonumber(ARGV[i * 3 + 1])) end
  return 0
end

-- KEYS: bucket. ARGV: gain, full, units. Takes the units, also below zero; the level that is left, as text.
if op == 'charge' then
  local gain, full = tonumber(ARGV[2]), tonumber(ARGV[3])
  local left = level(KEYS[1], gain, full) - tonumber(ARGV[4])
  keep(KEYS[1], left, gain, full)
  return text(left)
end

return redis.error_reply('unknown operation')
`;
