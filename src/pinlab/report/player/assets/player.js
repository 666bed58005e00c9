const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const last = data.steps.length;
const matters = [...new Set(data.needed.flatMap(([before, after]) => [before, after]).concat(
  data.chance === null ? [] : [data.chance], last ? [last] : []))].sort((a, b) => a - b);

// The values between the steps: frames[n] is what there is after n steps.
const frames = [data.start];
for (const step of data.steps) {
  const next = frames[frames.length - 1].slice();
  for (const [cell, , now] of step.changes) next[cell] = now;
  frames.push(next);
}

let shown = -1;

function element(name, text, look) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (look) made.className = look;
  return made;
}

function from_address() {
  const found = /^#step=(\d+)$/.exec(location.hash);
  return found ? Number(found[1]) : null;
}

function go(to) {
  const number = Math.max(0, Math.min(last, to));
  if (number === shown) return;
  shown = number;
  at("slider").value = number;
  at("number").textContent = `${number} of ${last}`;
  const step = number ? data.steps[number - 1] : null;
  say(step, number);
  code(step);
  board(step, number);
  judge(number);
  who(number);
  lanes(number);
  if (from_address() !== number) history.replaceState(null, "", `#step=${number}`);
}

function where(step) {
  return `${step.function}, ${step.file}:${step.line}`;
}

function say(step, number) {
  at("what").textContent = step
    ? `Step ${number}: ${data.actors[step.actor]} in ${step.function}()`
    : "Before the first step";
  const lines = step ? reasons(number) : [];
  at("matters").className = lines.length ? "yes" : "";
  at("matters").textContent = lines.join(" ") || (step ? way_there() : "");
}

function way_there() {
  return data.unknown ? `Whether it matters is not known: ${data.unknown}.`
    : "Only the way there: it is in no order that matters, or in one that follows from those marked.";
}

function reasons(number) {
  const found = [];
  for (const [before, after, cells] of data.needed) {
    const other = number === before ? after : before;
    if (number !== before && number !== after) continue;
    const step = data.steps[other - 1];
    const order = number === before ? "before" : "after";
    found.push(`It matters that this comes ${order} step ${other}, ${data.actors[step.actor]} in `
      + `${step.function}(): they race for ${cells.join(", ")}.`);
  }
  if (number === data.chance) {
    found.push("The last chance: until now everybody could have finished without the violation.");
  }
  if (number === last && data.message) found.push(`The end: ${data.message}.`);
  return found;
}

function code(step) {
  at("source").replaceChildren();
  at("did").replaceChildren();
  at("where").textContent = step ? where(step) : "Nobody has run yet.";
  if (!step) return;
  const [, , first, lines] = data.listings[step.listing];
  lines.forEach((text, row) => {
    const line = element("div", undefined, first + row === step.line ? "at" : "");
    const narrow = text.replace(/^( {4})+/, (deep) => "\t".repeat(deep.length / 4));
    line.append(element("i", String(first + row)), narrow);
    at("source").append(line);
  });
  const now = at("source").querySelector(".at");
  if (now) at("source").scrollTop = Math.max(0, now.offsetTop - at("source").offsetTop - 120);
  for (const [name, value] of step.reads) at("did").append(element("li", `reads ${name} = ${value}`));
  for (const [cell, old, now_] of step.changes) {
    at("did").append(element("li", `${data.cells[cell][0]}: ${old} \u2192 ${now_}`));
  }
  for (const note of step.notes) at("did").append(element("li", note));
  for (const [event, page] of step.events) {
    at("did").append(element("li", `\u2605 ${event}, page ${page}`, "event"));
  }
}

function board(step, number) {
  const changed = new Map(step ? step.changes.map(([cell, old]) => [cell, old]) : []);
  const waits = data.frames[number].waits;
  const boxes = new Map();
  data.cells.forEach(([name, owner, field, kind], cell) => {
    const title = owner || "CPUs, devices, disk";
    if (!boxes.has(title)) {
      const box = element("section");
      box.append(element("h3", title));
      boxes.set(title, box);
    }
    boxes.get(title).append(drawn(cell, field, kind, frames[number][cell], changed.get(cell),
      waits.filter(([, cells]) => cells.includes(name)).map(([actor]) => actor)));
  });
  at("board").replaceChildren(...boxes.values());
}

function drawn(cell, field, kind, value, old, waiting) {
  const on = kind === "flag" && value !== "0";
  const held = kind === "lock" && value !== "free";
  const line = element("div", undefined, "cell");
  line.classList.toggle("on", on);
  line.classList.toggle("held", held);
  line.classList.toggle("changed", old !== undefined);
  line.dataset.cell = data.cells[cell][0];
  line.dataset.value = value;
  const text = kind === "flag" ? (on ? "\u25cf set" : "\u25cb") : value;
  line.append(element("b", field), element("span", text));
  if (old !== undefined) line.append(element("small", `\u25c6 was ${kind === "flag" ? (old === "0" ? "clear" : "set") : old}`));
  if (waiting.length) line.append(element("small", `awaited by ${waiting.join(", ")}`));
  return line;
}

function judge(number) {
  for (const state of document.querySelectorAll("#states > li")) {
    if (state.dataset.state === data.frames[number].automaton) state.setAttribute("aria-current", "true");
    else state.removeAttribute("aria-current");
  }
}

function who(number) {
  const lines = data.actors.map((name, actor) => {
    const own = data.steps.slice(0, number).filter((step) => step.actor === actor);
    const wait = data.frames[number].waits.find(([waiting]) => waiting === name);
    const text = wait ? `waits for ${wait[1].join(", ")}`
      : own.length ? where(own[own.length - 1]) : "has not run yet";
    return [element("dt", name), element("dd", text, wait ? "waits" : "")];
  });
  at("who").replaceChildren(...lines.flat());
}

function lanes(number) {
  const wide = Number(at("lanes").dataset.step);
  at("cursor").setAttribute("x", number * wide);
  for (const box of document.querySelectorAll("#lanes .step")) {
    box.classList.toggle("done", Number(box.dataset.go) <= number);
  }
  document.querySelectorAll("#actors li").forEach((line, actor) => {
    line.classList.toggle("runs", number > 0 && data.steps[number - 1].actor === actor);
  });
  const strip = at("strip");
  const x = number * wide;
  if (x < strip.scrollLeft + wide || x > strip.scrollLeft + strip.clientWidth - 2 * wide) {
    strip.scrollLeft = x - strip.clientWidth / 2;
  }
}

const next = () => matters.find((number) => number > shown) ?? shown;
const previous = () => matters.findLast((number) => number < shown) ?? shown;
const DO = { first: () => 0, back: () => shown - 1, forward: () => shown + 1, last: () => last,
  next, previous };
const KEYS = { ArrowLeft: DO.back, ArrowRight: DO.forward, Home: DO.first, End: DO.last,
  PageUp: () => shown - 10, PageDown: () => shown + 10, n: next, p: previous, N: next, P: previous };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || !(event.key in KEYS)) return;
  event.preventDefault();
  go(KEYS[event.key]());
});
at("bar").addEventListener("click", (event) => {
  const name = event.target.dataset.do;
  if (name) go(DO[name]());
});
at("slider").addEventListener("input", () => go(Number(at("slider").value)));
at("lanes").addEventListener("click", (event) => {
  if (event.target.dataset.go) go(Number(event.target.dataset.go));
});
addEventListener("hashchange", () => go(from_address() ?? 0));
addEventListener("beforeprint", () => { at("all").open = true; });
go(from_address() ?? 0);
