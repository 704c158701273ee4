-- wrk script: PutRecord of random identifiers, ten features, event times that grow. Arguments after --: GROUP IDS
local group, ids, count = "customers", 100000, 0
function init(args)
  group = args[1] or group
  ids = tonumber(args[2] or ids)
  math.randomseed(os.time())
end
function request()
  count = count + 1
  local values = { string.format('{"FeatureName":"id","ValueAsString":"C%06d"}', math.random(0, ids - 1)),
    string.format('{"FeatureName":"at","ValueAsString":"%d"}', 1700000000 + count) }
  for feature = 0, 7 do
    values[#values + 1] = string.format('{"FeatureName":"f%d","ValueAsString":"%.6f"}', feature, math.random())
  end
  return wrk.format("PUT", "/FeatureGroup/" .. group, { ["Content-Type"] = "application/json" }, '{"Record":[' .. table.concat(values, ",") .. "]}")
end
