-- wrk script: PutRecord of random identifiers, ten features, event times that grow. Arguments after --: GROUP IDS
-- Only the event time is made per request; heads with identifiers and tails with values lie ready.
local heads, tails, count = {}, {}, 0
local VARIETY = 1000
function init(args)
  local group, ids = args[1] or "customers", tonumber(args[2] or 100000)
  math.randomseed(os.time())
  for tail = 1, VARIETY do
    local values = {}
    for feature = 0, 7 do
      values[#values + 1] = string.format('{"FeatureName":"f%d","ValueAsString":"%.6f"}', feature, math.random())
    end
    tails[tail] = '"},' .. table.concat(values, ",") .. "]}"
  end
  for id = 0, ids - 1 do
    local start = string.format('{"Record":[{"FeatureName":"id","ValueAsString":"C%06d"},{"FeatureName":"at","ValueAsString":"', id)
    local whole = wrk.format("PUT", "/FeatureGroup/" .. group, { ["Content-Type"] = "application/json" }, start .. "1700000000" .. tails[1])
    -- All bodies are of one length, so that the head holds for each of them.
    heads[id + 1] = whole:sub(1, #whole - #tails[1] - 10)
  end
end
function request()
  count = count + 1
  return heads[math.random(#heads)] .. string.format("%d", 1700000000 + count) .. tails[math.random(VARIETY)]
end
