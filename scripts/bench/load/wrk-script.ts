import { customerBody, type Load } from "./load.ts";

/** The Lua script that makes wrk send a load, and print what it saw as JSON. */
export function renderWrkScript(load: Load): string {
  const { reads, createEvery, createPath, createHeaders, mark, pipelining, headers } = load;
  const [before, after] = customerBody(mark, "COUNT").split("COUNT");
  return `
local paths, every, many = ${renderTable(reads)}, ${createEvery}, ${pipelining}
local headers = ${renderMap(headers)}
local create_headers = ${renderMap({ ...headers, "content-type": "application/json", ...createHeaders })}
local reads, count = {}, 0

function init()
  for index, path in ipairs(paths) do reads[index] = wrk.format("GET", path, headers) end
end

local function next_request()
  count = count + 1
  if #reads > 0 and (every == 0 or count % every ~= 0) then return reads[count % #reads + 1] end
  return wrk.format("POST", ${quote(createPath)}, create_headers, ${quote(before ?? "")} .. count .. ${quote(after ?? "")})
end

function request()
  if many == 1 then return next_request() end
  local all = {}
  for index = 1, many do all[index] = next_request() end
  return table.concat(all)
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\\n{"requests":%d,"us":%d,"p50":%d,"p99":%d,"p999":%d,"refused":%d,"broken":%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
`.trimStart();
}

function renderTable(values: readonly string[]): string {
  return `{ ${values.map(quote).join(", ")} }`;
}

function renderMap(values: Readonly<Record<string, string>>): string {
  const entries = Object.entries(values).map(([name, value]) => `[${quote(name)}] = ${quote(value)}`);
  return `{ ${entries.join(", ")} }`;
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", String.raw`\'`)}'`;
}
