-- Writes what a decision leaves behind, all of it or nothing.
--
-- KEYS  1 reply   2 session   then, each only where it is wanted: nonce, attempts, false alarms
-- ARGV  1 reply   2 its time to live
--       3 the session's version as it was read: 8 bytes, or empty when there was no session
--       4 the session's new version and value   5 its time to live
--       6 the nonce's time to live, 0 when none is used up
--       7 the window of attempts, 0 when none is counted   8 the same of false alarms
-- All times are in milliseconds.
--
-- Returns {0, nil} done, {1, reply} the request has a reply, {2, nil} the nonce was used, {3, nil} the session changed.

local reply = redis.call('GET', KEYS[1])
if reply then
    return {1, reply}
end
local next = 3
local nonce
if ARGV[6] ~= '0' then
    nonce = KEYS[3]
    next = 4
    if redis.call('EXISTS', nonce) == 1 then
        return {2, false}
    end
end
-- The range of a key that is not there is empty, as is ARGV[3] when there was no session.
if redis.call('GETRANGE', KEYS[2], 0, 7) ~= ARGV[3] then
    return {3, false}
end

redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[5])
if nonce then
    redis.call('SET', nonce, '1', 'PX', ARGV[6])
end
for i = 7, 8 do
    if ARGV[i] ~= '0' then
        if redis.call('INCR', KEYS[next]) == 1 then
            redis.call('PEXPIRE', KEYS[next], ARGV[i])
        end
        next = next + 1
    end
end
return {0, false}
