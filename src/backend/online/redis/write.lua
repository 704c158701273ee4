-- One write of one record, decided where the record lies, so that no two stores can decide at once.
--
-- KEYS: the record, identifiers that live, identifiers that are tombstones, the grave of the record, graves, marks
-- ARGV: 1 what: 'p' put or soft delete, 'l' loaded, 'h' hard delete
--       2 the value: version (20 bytes), kind ('r' row, 't' tombstone), row
--       3 identifier
--       4 when Redis forgets the row, in milliseconds since 1970; '' for never
--       5 the version that must stand, else ''
--       6 '1' at the first attempt: being behind only by arrival is then told instead of lost
--       7 '1' if the write goes to one store only
--       8 now in milliseconds, 9 how long a grave is kept
--
-- Answers: 'A' applied · 'L' late · 'O' overtaken · 'R' and the standing event time: refused · 'B' and an arrival: behind
-- that arrival at an equal event time · 'T' and an arrival: another row bears this very version
--
-- Versions are compared byte by byte: `<` on Lua strings follows the server's locale.
local function compare(a, b, from, to)
  for at = from, to do
    local x, y = string.byte(a, at), string.byte(b, at)
    if x ~= y then return x < y and -1 or 1 end
  end
  return 0
end

local what, value, identifier = ARGV[1], ARGV[2], ARGV[3]
local version, kind = string.sub(value, 1, 20), string.sub(value, 21, 21)
local head = redis.call('GETRANGE', KEYS[1], 0, 20)
local standing, standing_kind = false, ''
if #head == 21 then
  standing, standing_kind = string.sub(head, 1, 20), string.sub(head, 21, 21)
end
local grave = redis.call('GET', KEYS[4])

local function behind(other)
  return ARGV[6] == '1' and 'B' .. string.sub(other, 13, 20)
end

if what == 'h' then
  if grave == version then return 'A' end
  if standing and standing_kind ~= 't' then
    local order = compare(version, standing, 1, 20)
    if order == 0 then return 'T' .. string.sub(standing, 13, 20) end
    if order < 0 then
      local at_equal_time = compare(version, standing, 1, 12) == 0
      return at_equal_time and behind(standing) or 'R' .. string.sub(standing, 1, 12)
    end
  end
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], identifier)
  redis.call('ZREM', KEYS[3], identifier)
  -- The grave holds a version and no identifier. It keeps out what was accepted before this delete and arrives after it.
  redis.call('SET', KEYS[4], version, 'PX', ARGV[9])
  redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', ARGV[8])
  redis.call('ZADD', KEYS[5], tonumber(ARGV[8]) + tonumber(ARGV[9]), KEYS[4])
  redis.call('PEXPIRE', KEYS[5], ARGV[9])
  redis.call('HSET', KEYS[6], 'one_sided', 1)
  return 'A'
end

if ARGV[5] ~= '' then
  if standing == version and redis.call('GET', KEYS[1]) == value then return 'A' end
  if not standing or standing_kind == 't' or standing ~= ARGV[5] then return 'O' end
end
if grave and compare(version, grave, 1, 12) <= 0 and compare(version, grave, 13, 20) < 0 then
  return what ~= 'l' and behind(grave) or 'L'
end
if standing then
  local order = compare(version, standing, 1, 20)
  if order == 0 and what ~= 'l' then
    if redis.call('GET', KEYS[1]) == value then return 'A' end
    return 'T' .. string.sub(standing, 13, 20)
  end
  if order < 0 then
    local at_equal_time = what ~= 'l' and compare(version, standing, 1, 12) == 0
    return at_equal_time and behind(standing) or 'L'
  end
end

redis.call('SET', KEYS[1], value)
local index, other = KEYS[2], KEYS[3]
if kind == 't' then index, other = other, index end
if standing_kind ~= kind then
  redis.call('ZADD', index, 0, identifier)
  redis.call('ZREM', other, identifier)
end
if ARGV[4] ~= '' then
  redis.call('HSET', KEYS[6], 'expiring', 1)
  redis.call('PEXPIREAT', KEYS[1], ARGV[4])
  if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('ZREM', index, identifier) end
end
if ARGV[7] == '1' then redis.call('HSET', KEYS[6], 'one_sided', 1) end
return 'A'
