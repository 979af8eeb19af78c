"use strict";
// Shows each tick of /live/events. Nothing is asked from elsewhere, and no text becomes HTML.

const $ = (id) => document.getElementById(id);
const format = (number) => Math.round(number).toLocaleString("en");
const fixed = (number, digits = 1) => number.toLocaleString("en", { maximumFractionDigits: digits });
const HISTORY = 240;
const PARTS = ["written", "rejected", "dropped", "in_flight", "buffered", "spooled"];

let past = [];
let last = null;

function set(element, text) {
  // What does not change is not said again by a screen reader.
  if (element.textContent !== text) element.textContent = text;
}

function items(list, texts) {
  while (list.children.length > texts.length) list.lastChild.remove();
  while (list.children.length < texts.length) list.append(document.createElement("li"));
  texts.forEach((text, at) => set(list.children[at], text));
}

// The ledger.

const segments = Object.fromEntries(PARTS.map((part) => {
  const segment = document.createElement("i");
  segment.className = part;
  $("bar").append(segment);
  return [part, segment];
}));

function showLedger(ledger, arrived) {
  let sum = 0;
  for (const part of PARTS) {
    sum += ledger[part];
    segments[part].style.flex = `${ledger[part]} 1 0`;
    segments[part].classList.toggle("some", ledger[part] > 0);
    set($(`n-${part}`), format(ledger[part]));
  }
  for (const name of ["recorded", "pending"]) set($(`n-${name}`), format(ledger[name]));
  set($("n-arrived"), format(arrived));
  const all = ledger.recorded + ledger.recovered;
  const recovered = ledger.recovered ? ` + ${format(ledger.recovered)} recovered` : "";
  const right = ["written", "rejected", "dropped", "pending"].map((name) => `${format(ledger[name])} ${name}`).join(" + ");
  const verdict = sum === all && ledger.balanced ? "it adds up" : "it does NOT add up";
  set($("sum"), `${format(ledger.recorded)} recorded${recovered} = ${right}: ${verdict}`);
}

// The buttons.

let buttons = [];

function showButtons(all) {
  if (buttons.length) return;
  buttons = all.map((button) => {
    const element = document.createElement("button");
    element.type = "button";
    element.id = `press-${button.name}`;
    element.textContent = button.label;
    element.addEventListener("click", () => press(button, element));
    $("buttons").append(element);
    return { ...button, element };
  });
}

async function press(button, element) {
  if (element.getAttribute("aria-disabled") === "true") return;
  try {
    const answer = await fetch(`/live/press/${button.name}`, { method: "POST", headers: { "x-pressed": "1" } });
    set($("said"), `${button.label}: ${await answer.text()}.`);
  } catch {
    set($("said"), `${button.label}: the service does not answer.`);
  }
}

function showRunning(running, isFake) {
  $("off").hidden = isFake;
  for (const { name, label, needs_fake, element } of buttons) {
    const isOff = needs_fake && !isFake;
    const left = running[name];
    element.setAttribute("aria-disabled", String(isOff || left !== undefined));
    if (isOff) element.setAttribute("aria-describedby", "off");
    else element.removeAttribute("aria-describedby");
    set(element, left === undefined || left < 2 ? label : `${label} (${left} s left)`);
  }
}

// The plots.

const plots = {};

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Shows lines by name; makes the plot anew when other lines, another width or other colors are due. */
function plot(id, height, lines) {
  const box = $(id);
  const names = Object.keys(lines);
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const key = JSON.stringify([names, dark]);
  const data = [past.map((one) => one.time / 1e3), ...Object.values(lines)];
  const known = plots[id];
  if (known && known.key === key) {
    if (known.width !== box.clientWidth) {
      known.width = box.clientWidth;
      known.uplot.setSize({ width: box.clientWidth, height });
    }
    known.uplot.setData(data);
    return;
  }
  if (known) known.uplot.destroy();
  const axis = { stroke: color("--soft"), grid: { stroke: color("--line"), width: 1 }, ticks: { stroke: color("--line") } };
  const series = names.map((name, at) => ({
    label: name, stroke: color(`--p${at % 8}`), width: 2, points: { show: false }, spanGaps: true,
    // Not by color alone.
    dash: at >= 4 ? [6, 4] : undefined,
    value: (_, value) => (value == null ? "–" : fixed(value)),
  }));
  const options = {
    width: box.clientWidth, height,
    series: [{ label: "time", value: "{HH}:{mm}:{ss}" }, ...series],
    axes: [{ ...axis, values: "{HH}:{mm}:{ss}", space: 70 }, { ...axis, size: 52 }],
    scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
    legend: { show: names.length > 1 },
    cursor: { drag: { x: false, y: false } },
  };
  plots[id] = { key, width: box.clientWidth, uplot: new uPlot(options, data, box) };
}

function showPlots() {
  if (!past.length) return;
  const names = [...new Set(past.flatMap((one) => Object.keys(one.endpoints)))].sort();
  const percentile = $("percentile").value;
  const lines = (value) => Object.fromEntries(names.map((name) => [name, past.map((one) => {
    const endpoint = one.endpoints[name];
    return endpoint ? value(endpoint) : null;
  })]));
  plot("plot-rate", 200, lines((endpoint) => endpoint.rate));
  plot("plot-duration", 200, lines((endpoint) => endpoint[percentile]));
  plot("plot-cpu", 120, { CPU: past.map((one) => one.cpu) });
}

// The rest.

function showEndpoints(endpoints) {
  const body = $("endpoints");
  const rows = Object.entries(endpoints).map(([name, { rate, p50, p95, p99 }]) =>
    [name, fixed(rate), fixed(p50, 2), fixed(p95, 2), fixed(p99, 2)]);
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((cells, at) => {
    let row = body.rows[at];
    if (!row) {
      row = body.insertRow();
      const head = document.createElement("th");
      head.scope = "row";
      row.append(head);
      for (let cell = 1; cell < cells.length; cell++) row.insertCell();
    }
    cells.forEach((text, cell) => set(row.cells[cell], text));
  });
}

function showTick(tick) {
  last = tick;
  const { figures } = tick;
  set($("server"), tick.server.name);
  set($("asked"), tick.server.asked);
  set($("health"), tick.health);
  set($("connection"), "Live.");
  showLedger(tick.ledger, figures.points);
  showRunning(tick.running, tick.server.is_fake);
  items($("happenings"), tick.happenings.length ? tick.happenings : ["Nothing out of the ordinary so far."]);
  const counts = (of) => Object.entries(of).map(([name, count]) => `${name}: ${format(count)}`);
  items($("statuses"), counts(figures.statuses));
  items($("outcomes"), counts(figures.outcomes));
  showEndpoints(figures.endpoints);
  const { machine } = figures;
  const mebibytes = (bytes) => `${format(bytes / 1048576)} MiB`;
  items($("machine"), [
    `CPU: ${fixed(machine.cpu_percent)} %`, `load: ${fixed(machine.load, 2)}`,
    `memory used: ${mebibytes(machine.memory_used)}`, `available: ${mebibytes(machine.memory_available)}`,
    `network received: ${format(machine.received)} B/s`, `sent: ${format(machine.sent)} B/s`,
  ]);
  set($("lines"), figures.lines.join("\n"));
  past.push({ time: tick.time, endpoints: figures.endpoints, cpu: machine.cpu_percent });
  if (past.length > HISTORY) past.shift();
  showPlots();
  document.documentElement.dataset.ticks = Number(document.documentElement.dataset.ticks || 0) + 1;
}

const events = new EventSource("/live/events");
events.addEventListener("beginning", (event) => {
  const beginning = JSON.parse(event.data);
  past = beginning.past;
  showButtons(beginning.buttons);
});
events.addEventListener("tick", (event) => showTick(JSON.parse(event.data)));
events.addEventListener("error", () => set($("connection"), "The service does not answer; trying again."));
$("percentile").addEventListener("change", showPlots);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showPlots);
addEventListener("resize", showPlots);
