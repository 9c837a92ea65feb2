-- Removes a subject's keys from the node of a cluster that holds their slot. That node finds itself: a client's own list of
-- masters may be out of date after a fail-over, a key's redirection is not.
--
-- KEYS  1 any key of the subject
-- ARGV  1 what all of them begin with

local slot = redis.call('CLUSTER', 'KEYSLOT', KEYS[1])
local count = redis.call('CLUSTER', 'COUNTKEYSINSLOT', slot)
for _, key in ipairs(redis.call('CLUSTER', 'GETKEYSINSLOT', slot, count)) do
    if key:sub(1, #ARGV[1]) == ARGV[1] then
        redis.call('UNLINK', key)
    end
end
return 1
