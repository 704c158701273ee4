-- wrk script: BatchGetRecord of a hundred random identifiers. Arguments after --: GROUP IDS
local group, ids = "customers", 100000
function init(args)
  group = args[1] or group
  ids = tonumber(args[2] or ids)
  math.randomseed(os.time())
end
function request()
  local wanted = {}
  for place = 1, 100 do
    wanted[place] = string.format('"C%06d"', math.random(0, ids - 1))
  end
  local body = '{"Identifiers":[{"FeatureGroupName":"' .. group .. '","RecordIdentifiersValueAsString":[' .. table.concat(wanted, ",") .. "]}]}"
  return wrk.format("POST", "/BatchGetRecord", { ["Content-Type"] = "application/json" }, body)
end
