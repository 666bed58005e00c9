// What is shown: tracks, scales, and drawing them. input.js moves it about.
const data = JSON.parse(document.getElementById("data").textContent);
const chart = document.getElementById("chart"), axis = document.getElementById("axis");
const scroll = document.getElementById("scroll"), tall = document.getElementById("tall");
const MARKS = 14, LANE = 15, CURVE = 18, PAD = 6, MOST_LANES = 12, FONT = "12px system-ui, sans-serif";
const view = { from: 0, to: 1, order: false, chosen: null, rows: [], gutter: 240 };

const list = ({ names, rows }) => rows.map(row => Object.fromEntries(names.map((name, i) => [name, row[i]])));
const accused = new Set(data.accused);  // tracks of folios with violations, and of the I/O that took part

// Items are spans and marks in one list, in order of time.
const items = [];
list(data.spans).forEach(s => items.push(Object.assign(s, { isSpan: true })));
list(data.marks).forEach((m, i) => items.push(Object.assign(m, { start: m.at, end: m.at, number: i })));
items.sort((a, b) => a.start - b.start || a.end - b.end);
const violations = items.filter(item => item.kind === "violation");
const everywhere = items.filter(item => item.track === null);
let instants = [];  // of the tracks that are shown, for equal distances
const tracks = list(data.tracks).map((track, i) => ({ ...track, accused: accused.has(i), items: [], samples: [], bad: false, lanes: 0, most: 1 }));
for (const item of items) {
  if (item.track === null) continue;
  const track = tracks[item.track];
  track.items.push(item);
  if (item.isSpan) track.lanes = Math.max(track.lanes, Math.min(item.lane + 1, MOST_LANES));
  if (item.kind === "violation") track.bad = true;
}
for (const sample of list(data.samples)) {
  tracks[sample.track].samples.push(sample);
  tracks[sample.track].most = Math.max(tracks[sample.track].most, sample.pins);
}

function rank(at) {
  let low = 0, high = instants.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (instants[middle] < at) low = middle + 1; else high = middle;
  }
  return low;
}
const place = at => view.order ? rank(at) : at;
const whole = () => view.order ? Math.max(instants.length - 1, 1) : Math.max(data.length, 1);
const toX = at => view.gutter + (place(at) - view.from) / (view.to - view.from) * view.wide;
const colour = name => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
let paint = {};

function time(ns, exact = 1) {  // exact to so many nanoseconds
  const [unit, size] = [["s", 1e9], ["ms", 1e6], ["µs", 1e3]].find(([, n]) => Math.abs(ns) >= n) || ["ns", 1];
  const digits = Math.round(Math.log10(size)) - Math.max(Math.floor(Math.log10(exact)), 0);
  return `${+(ns / size).toFixed(Math.max(Math.min(digits, 9), 0))} ${unit}`;
}

function arrange() {
  const only = document.getElementById("only").checked;
  const words = document.getElementById("find").value.toLowerCase();
  let top = 0;
  view.rows = [];
  for (const track of tracks) {
    if (only && !track.accused) continue;
    if (words && !(track.name + " " + track.detail).toLowerCase().includes(words)) continue;
    const lanes = MARKS + track.lanes * LANE;
    const high = Math.max(lanes + (track.samples.length ? CURVE : 0) + PAD, 36);
    view.rows.push({ track, top, high, curve: lanes });
    top += high;
  }
  tall.style.height = top + "px";
  document.getElementById("nothing").hidden = view.rows.length > 0;
  const shown = view.rows.map(row => row.track);
  instants = [...new Set([0, data.length, ...everywhere.map(i => i.at),
    ...shown.flatMap(t => t.items.flatMap(i => [i.start, i.end])),
    ...shown.flatMap(t => t.samples.map(s => s.at))])].sort((a, b) => a - b);
  if (view.order) all(); else draw();
}

function fit(canvas, high) {
  const ratio = window.devicePixelRatio || 1, wide = canvas.clientWidth;
  canvas.style.height = high + "px";
  canvas.width = Math.round(wide * ratio);
  canvas.height = Math.round(high * ratio);
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.font = FONT;
  pen.textBaseline = "middle";
  return pen;
}

function cut(pen, text, room) {
  if (pen.measureText(text).width <= room) return text;
  let length = Math.floor(text.length * room / Math.max(pen.measureText(text).width, 1));
  while (length > 0 && pen.measureText(text.slice(0, length) + "…").width > room) length--;
  return length > 0 ? text.slice(0, length) + "…" : "";
}

function draw() {
  for (const name of ["page", "ink", "soft", "line", "band", "pin", "writeback", "dirty", "step", "event",
    "violation", "alarm", "lost", "chosen", "on-pin", "on-writeback", "on-dirty", "on-step"]) paint[name] = colour(name);
  view.gutter = Math.min(240, chart.clientWidth * 0.3);
  view.wide = Math.max(chart.clientWidth - view.gutter - 16, 10);
  const high = Math.max(Math.min(scroll.clientHeight, tall.clientHeight), 1);
  const pen = fit(chart, high), down = scroll.scrollTop;
  let shown = 0;
  drawAxis();
  view.rows.forEach((row, i) => {
    const top = row.top - down;
    if (top + row.high < 0 || top > high) return;
    pen.fillStyle = row.track.bad ? paint.alarm : i % 2 ? paint.band : paint.page;
    pen.fillRect(0, top, chart.clientWidth, row.high);
    pen.save();
    pen.beginPath();
    pen.rect(view.gutter - 8, top, view.wide + 24, row.high);
    pen.clip();
    for (const tick of ticks()) line(pen, tick.x, top, top + row.high, paint.line);
    shown += drawTrack(pen, row, top);
    pen.restore();
    drawLabel(pen, row, top);
  });
  for (const item of everywhere) drawLost(pen, item, high);
  Object.assign(chart.dataset, { shown, rows: view.rows.length, violations: violations.length,
    from: view.from, to: view.to });
  document.documentElement.dataset.ready = "yes";
}

function line(pen, x, from, to, ink, wide = 1) {
  pen.strokeStyle = ink;
  pen.lineWidth = wide;
  pen.beginPath();
  pen.moveTo(Math.round(x) + .5, from);
  pen.lineTo(Math.round(x) + .5, to);
  pen.stroke();
}

function drawLabel(pen, row, top) {
  pen.fillStyle = row.track.bad ? paint.violation : paint.ink;
  pen.fillText(cut(pen, (row.track.bad ? "◆ " : "") + row.track.name, view.gutter - 24), 10, top + 12);
  pen.fillStyle = paint.soft;
  pen.font = "11px system-ui, sans-serif";
  pen.fillText(cut(pen, row.track.detail, view.gutter - 24), 10, top + 27);
  if (row.track.samples.length) {
    const most = `${row.track.most} pin${row.track.most === 1 ? "" : "s"}`;
    pen.fillText(most, view.gutter - 14 - pen.measureText(most).width, top + row.curve + 7);
  }
  pen.font = FONT;
}

function drawTrack(pen, row, top) {
  const last = new Map();  // where in a lane something was drawn last: what hides behind it is left out
  let shown = 0;
  for (const item of row.track.items) if (item.isSpan) shown += drawSpan(pen, item, top, last);
  if (row.track.samples.length) drawCurve(pen, row, top);
  for (const kind of ["event", "violation"]) {
    let before = -9;
    for (const item of row.track.items) {
      if (item.isSpan || item.kind !== kind) continue;
      const x = toX(item.at), chosen = item === view.chosen;
      if (x < view.gutter - 8 || x > view.gutter + view.wide + 12 || (x - before < .7 && !chosen)) continue;
      before = x;
      shown++;
      if (kind === "event") line(pen, x, top + 2, top + MARKS - 2, chosen ? paint.chosen : paint.event, chosen ? 3 : 1.5);
      else drawViolation(pen, x, top, row.high, chosen);
    }
  }
  return shown;
}

function drawSpan(pen, item, top, last) {
  const from = toX(item.start), to = Math.max(toX(item.end), from + 1.5);
  const lane = Math.min(item.lane, MOST_LANES - 1), y = top + MARKS + lane * LANE;
  if (to < view.gutter - 8 || from > view.gutter + view.wide + 16) return 0;
  const chosen = item === view.chosen;
  if (to <= (last.get(lane) ?? -9) + .5 && !chosen) return 0;
  last.set(lane, Math.max(to, last.get(lane) ?? 0));
  const left = Math.max(from, view.gutter - 10), right = Math.min(to, view.gutter + view.wide + 20);
  pen.fillStyle = paint[item.kind];
  if (item.cut && to - from > 4) {
    const fade = pen.createLinearGradient(from, 0, to, 0), clear = paint[item.kind] + "22";
    fade.addColorStop(0, item.cut === "start" ? clear : paint[item.kind]);
    fade.addColorStop(1, item.cut === "end" ? clear : paint[item.kind]);
    pen.fillStyle = fade;
  }
  pen.fillRect(left, y + 1, right - left, LANE - 2);
  if (chosen) {
    pen.strokeStyle = paint.chosen;
    pen.lineWidth = 2;
    pen.strokeRect(left, y + 1, right - left, LANE - 2);
  }
  const room = right - Math.max(left, view.gutter) - 8;
  if (room > 24) {
    pen.fillStyle = item.cut ? paint.ink : paint["on-" + item.kind];
    pen.font = "11px system-ui, sans-serif";
    pen.fillText(cut(pen, item.name, room), Math.max(left, view.gutter) + 4, y + LANE / 2 + .5);
    pen.font = FONT;
  }
  return 1;
}

function drawViolation(pen, x, top, high, chosen) {
  line(pen, x, top, top + high, paint.violation, 1.5);
  pen.fillStyle = paint.violation;
  pen.beginPath();
  pen.moveTo(x, top);
  pen.lineTo(x + 7, top + 7);
  pen.lineTo(x, top + 14);
  pen.lineTo(x - 7, top + 7);
  pen.fill();
  if (!chosen) return;
  pen.strokeStyle = paint.chosen;
  pen.lineWidth = 2;
  pen.stroke();
}

function drawLost(pen, item, high) {
  const x = toX(item.at);
  if (x < view.gutter || x > view.gutter + view.wide) return;
  pen.setLineDash([4, 4]);
  line(pen, x, 0, high, paint.lost, item === view.chosen ? 3 : 2);
  pen.setLineDash([]);
}

function drawCurve(pen, row, top) {
  const base = top + row.curve + CURVE, up = n => base - n / row.track.most * (CURVE - 5);
  pen.strokeStyle = paint.pin;
  pen.lineWidth = 1.5;
  pen.beginPath();
  let y = up(0), last = -Infinity;
  pen.moveTo(Math.max(toX(0), view.gutter - 9), y);
  for (const sample of row.track.samples) {
    const x = Math.min(Math.max(toX(sample.at), view.gutter - 9), view.gutter + view.wide + 20);
    if (x > last) pen.lineTo(x, y);
    pen.lineTo(x, y = up(sample.pins));
    last = x;
  }
  pen.lineTo(Math.min(toX(data.length), view.gutter + view.wide + 20), y);
  pen.stroke();
}

function ticks() {
  const span = view.to - view.from, rough = span / Math.max(view.wide / 110, 1);
  let step = 10 ** Math.floor(Math.log10(Math.max(rough, 1e-3)));
  step *= [1, 2, 5, 10].find(n => n * step >= rough);
  if (view.order) step = Math.max(Math.round(step), 1);
  const found = [];
  for (let at = Math.ceil(view.from / step) * step; at <= view.to; at += step) {
    const x = view.gutter + (at - view.from) / span * view.wide;
    found.push({ x, text: view.order ? time(instants[at] ?? 0, 1e3) : time(at, step) });
  }
  return found;
}

function drawAxis() {
  const pen = fit(axis, 26);
  pen.fillStyle = paint.soft;
  pen.fillText(view.order ? "equal distances" : "since first event", 10, 13);
  for (const tick of ticks()) {
    line(pen, tick.x, 18, 26, paint.soft);
    pen.fillText(tick.text, Math.min(tick.x, view.gutter + view.wide + 16 - pen.measureText(tick.text).width - 6) + 3, 10);
  }
}
