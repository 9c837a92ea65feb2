-- Puts an announcement in the place of an earlier one under its name.
--
-- KEYS  1 the announcements: 16 bytes each, a hash of the name and the version
-- ARGV  1 the new one   2 how many bytes to keep   3 the time to live of all, in milliseconds

local kept = ''
local before = redis.call('GET', KEYS[1]) or ''
for at = 1, #before, 16 do
    if before:sub(at, at + 7) ~= ARGV[1]:sub(1, 8) then
        kept = kept .. before:sub(at, at + 15)
    end
end
redis.call('SET', KEYS[1], (kept .. ARGV[1]):sub(-ARGV[2]), 'PX', ARGV[3])
return 1
