// What a person does: zoom, move, choose, filter. chart.js draws the result.
const tip = document.getElementById("tip"), details = document.getElementById("details");
const NEAR = 5;  // pixels by which one may miss
const FAR_OUT = .1;  // a violation that would have less of the chart than this is zoomed in on
const MANY = 100;  // with more tracks than this only those with violations are shown first

function show(from, to) {
  const all = whole(), least = view.order ? 2 : Math.min(20, all);
  let wide = Math.min(Math.max(to - from, least), all * 1.04);
  let start = (from + to - wide) / 2;
  start = Math.min(Math.max(start, -all * .02), all * 1.02 - wide);
  view.from = start;
  view.to = start + wide;
  draw();
}
function all() {
  show(-whole() * .02, whole() * 1.02);
}
function middle() {  // of the chart, or what is chosen
  const x = view.chosen ? toX(view.chosen.start) : 0;
  return x > view.gutter && x < view.gutter + view.wide ? x : view.gutter + view.wide / 2;
}
function zoom(factor, x = middle()) {
  const at = view.from + (x - view.gutter) / view.wide * (view.to - view.from);
  show(at - (at - view.from) * factor, at + (view.to - at) * factor);
}
function move(part) {
  const by = (view.to - view.from) * part;
  show(view.from + by, view.to + by);
}

function find(event) {
  const box = chart.getBoundingClientRect();
  const x = event.clientX - box.left, y = event.clientY - box.top + scroll.scrollTop;
  const row = view.rows.find(r => y >= r.top && y < r.top + r.high);
  if (!row || x < view.gutter - 8) return row && x < view.gutter ? { track: row.track } : null;
  let best = null, score = Infinity;
  for (const item of [...row.track.items, ...everywhere]) {
    const from = toX(item.start), to = Math.max(toX(item.end), from + 1.5);
    const miss = Math.max(from - x, x - to, 0);
    if (miss > NEAR) continue;
    const top = row.top + MARKS + Math.min(item.lane, MOST_LANES - 1) * LANE;
    if (item.isSpan && (y < top || y >= top + LANE)) continue;
    const rating = miss + (item.kind === "violation" ? -100 : item.isSpan ? 20 : item.track === null ? 50 : 0);
    if (rating < score) [best, score] = [item, rating];
  }
  return best ? { item: best, track: row.track } : null;
}

function headline(item) {
  const where = item.track === null ? "" : ` · ${tracks[item.track].name}`;
  const lasts = item.isSpan ? ` for ${time(item.end - item.start)}` : "";
  return `${item.name}${where}\nat ${time(item.start)}${lasts}`;
}

function choose(item, reveal = true) {
  view.chosen = item;
  details.replaceChildren();
  if (!item) return draw();
  const title = document.createElement("p"), list = document.createElement("dl");
  title.textContent = headline(item).replace("\n", ", ");
  if (item.kind === "violation") title.className = "bad";
  const add = (name, value) => {
    const term = document.createElement("dt"), text = document.createElement("dd");
    term.textContent = name;
    text.textContent = value === true ? "yes" : value === false ? "no" : value;
    list.append(term, text);
  };
  if (item.track !== null && tracks[item.track].detail) add("track", tracks[item.track].detail);
  if (item.cut) add("outside the recording", `its ${item.cut}`);
  for (const [name, value] of Object.entries(item.args)) add(name, value);
  details.append(title, list);
  if (reveal) {
    const row = view.rows.find(r => r.track === tracks[item.track]);
    if (row && (row.top < scroll.scrollTop || row.top + row.high > scroll.scrollTop + scroll.clientHeight))
      scroll.scrollTop = row.top - Math.max(0, (scroll.clientHeight - row.high) / 2);
    const at = place(item.start), now = view.to - view.from, near = item.kind === "violation" ? nearby(item) : now;
    const half = (near < now * FAR_OUT ? near : now) / 2;
    if (half < now / 2 || at < view.from || at > view.to) return show(at - half, at + half);
  }
  draw();
}

function nearby(item) {  // room to see the shortest span in which the violation falls, else its neighbours
  const all = tracks[item.track].items, i = all.indexOf(item);
  const lengths = all.filter(s => s.isSpan && s.start <= item.start && s.end >= item.start && s.end > s.start)
    .map(s => place(s.end) - place(s.start));
  const apart = place(all[Math.min(i + 1, all.length - 1)].start) - place(all[Math.max(i - 1, 0)].start);
  return 5 * (lengths.length ? Math.min(...lengths) : apart);
}

function reveal(item) {
  if (item && item.track !== null && !view.rows.some(row => row.track === tracks[item.track])) {
    document.getElementById("find").value = "";
    if (!tracks[item.track].accused) document.getElementById("only").checked = false;
    arrange();
  }
  choose(item);
}

function step(list, by) {
  const visible = new Set(view.rows.map(row => tracks.indexOf(row.track)));
  const found = list === violations ? list : list.filter(i => i.track === null || visible.has(i.track));
  if (!found.length) return;
  const now = found.indexOf(view.chosen);
  if (now >= 0 || !view.chosen) {
    const next = now < 0 ? (by > 0 ? 0 : found.length - 1) : (now + by + found.length) % found.length;
    return reveal(found[next]);
  }
  const later = found.findIndex(item => item.start > view.chosen.start);
  const at = by > 0 ? later : (later < 0 ? found.length : later) - 1;
  reveal(found[(at + found.length) % found.length]);
}

const actions = {
  in: () => zoom(.5), out: () => zoom(2), all,
  next: () => step(violations, 1), previous: () => step(violations, -1),
};
document.getElementById("bar").addEventListener("click", event => actions[event.target.dataset.do]?.());
for (const button of document.querySelectorAll("button[data-mark]"))
  button.addEventListener("click", () => {
    reveal(items.find(item => item.number === +button.dataset.mark));
    chart.scrollIntoView({ block: "nearest" });
  });
for (const name of ["previous", "next"])
  document.querySelector(`[data-do=${name}]`).disabled = !violations.length;
document.getElementById("only").disabled = !violations.length;
document.getElementById("only").addEventListener("change", arrange);
document.getElementById("find").addEventListener("input", arrange);
document.getElementById("order").addEventListener("change", event => {
  view.order = event.target.checked;
  arrange();
  all();
});

const keys = {
  "+": () => zoom(.5), "=": () => zoom(.5), "-": () => zoom(2), "0": all, Home: all,
  ArrowLeft: () => move(-.2), ArrowRight: () => move(.2),
  ArrowUp: () => { scroll.scrollTop -= 60; }, ArrowDown: () => { scroll.scrollTop += 60; },
  PageUp: () => { scroll.scrollTop -= scroll.clientHeight; }, PageDown: () => { scroll.scrollTop += scroll.clientHeight; },
  n: () => step(items, 1), p: () => step(items, -1),
  v: () => step(violations, 1), V: () => step(violations, -1), Escape: () => choose(null),
};
chart.addEventListener("keydown", event => {
  if (event.ctrlKey || event.altKey || event.metaKey || !keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});

let held = null;
chart.addEventListener("pointerdown", event => {
  held = { x: event.clientX, from: view.from, to: view.to, moved: false };
  chart.setPointerCapture(event.pointerId);
});
chart.addEventListener("pointermove", event => {
  if (held) {
    const by = (held.x - event.clientX) / view.wide * (held.to - held.from);
    held.moved ||= Math.abs(held.x - event.clientX) > 3;
    tip.hidden = true;
    return held.moved ? show(held.from + by, held.to + by) : undefined;
  }
  const under = find(event);
  tip.hidden = !under;
  if (!under) return;
  tip.textContent = under.item ? headline(under.item) : `${under.track.name}\n${under.track.detail}`;
  if (under.item?.args.claim) tip.textContent += `\nbroken: ${under.item.args.claim}`;
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.min(event.clientX + 14, innerWidth - box.width - 8) + "px";
  tip.style.top = Math.min(event.clientY + 16, innerHeight - box.height - 8) + "px";
});
chart.addEventListener("pointerup", event => {
  if (held && !held.moved) choose(find(event)?.item ?? null, false);
  held = null;
});
chart.addEventListener("pointercancel", () => { held = null; });
chart.addEventListener("pointerleave", () => { tip.hidden = true; });
chart.addEventListener("dblclick", event => zoom(.5, event.clientX - chart.getBoundingClientRect().left));
chart.addEventListener("wheel", event => {
  if (!event.ctrlKey && !event.shiftKey) return;
  event.preventDefault();
  if (event.shiftKey) return move((event.deltaY || event.deltaX) / 1000);
  zoom(Math.exp(event.deltaY / 400), event.clientX - chart.getBoundingClientRect().left);
}, { passive: false });

let waiting = false;
function soon() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; draw(); });
}
scroll.addEventListener("scroll", soon);
addEventListener("resize", soon);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", soon);

document.getElementById("only").checked = violations.length > 0 && tracks.length > MANY;
view.from = -whole() * .02;
view.to = whole() * 1.02;
arrange();
