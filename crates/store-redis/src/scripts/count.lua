-- Counts one more under each key, in a window that begins with its first.
--
-- KEYS  the counts
-- ARGV  1 the window in milliseconds
--
-- Returns the counts.

local counts = {}
for i, key in ipairs(KEYS) do
    counts[i] = redis.call('INCR', key)
    if counts[i] == 1 then
        redis.call('PEXPIRE', key, ARGV[1])
    end
end
return counts
