-- Writes what a decision leaves behind, all of it or nothing.
--
-- KEYS  1 reply   2 session   3 attempts   4 nonce (absent when none is used up)
-- ARGV  1 reply   2 its time to live
--       3 the session's version as it was read: 8 bytes, or empty when there was no session
--       4 the session's new version and value   5 its time to live
--       6 the attempt window, or 0 when no attempt is counted
--       7 the nonce's time to live (absent when none is used up)
-- All times are in milliseconds.
--
-- Returns {0, nil} done, {1, reply} the request has a reply, {2, nil} the nonce was used, {3, nil} the session changed.

local reply = redis.call('GET', KEYS[1])
if reply then
    return {1, reply}
end
if KEYS[4] and redis.call('EXISTS', KEYS[4]) == 1 then
    return {2, false}
end
-- The range of a key that is not there is empty, as is ARGV[3] when there was no session.
if redis.call('GETRANGE', KEYS[2], 0, 7) ~= ARGV[3] then
    return {3, false}
end

redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[5])
if KEYS[4] then
    redis.call('SET', KEYS[4], '1', 'PX', ARGV[7])
end
if ARGV[6] ~= '0' and redis.call('INCR', KEYS[3]) == 1 then
    redis.call('PEXPIRE', KEYS[3], ARGV[6])
end
return {0, false}
