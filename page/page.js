// Sends the photo that is chosen or dropped, and shows what comes back. Nothing is kept here either.
const at = (id) => document.getElementById(id);
const PLACE = "http://www.w3.org/2000/svg";
let asked = 0; // the last photo's number: an answer to an earlier one comes too late

async function json(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The server does not answer: start run.py serve again.");
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.detail ?? `The server says ${answer.status}.`);
  return told;
}

function say(words, { bad = false } = {}) {
  at("state").textContent = words;
  at("state").classList.toggle("bad", bad);
}

async function about() {
  try {
    const lake = await json("/api/about");
    at("about").textContent = `Compared with ${lake.photos.toLocaleString("en")} photos of the lake` +
      (lake.classifier ? `, told by ${lake.classifier}.` : ".");
    at("photo").dataset.most = lake.max_bytes;
  } catch (error) {
    at("about").textContent = error.message;
  }
}

async function ask(photo) {
  if (!photo) return;
  const number = ++asked;
  at("answer").hidden = true;
  const most = Number(at("photo").dataset.most);
  if (most && photo.size > most) {
    say(`A photo may have ${most.toLocaleString("en")} bytes at most; choose a smaller one.`, { bad: true });
    return;
  }
  say("Looking at it …");
  try {
    const options = { method: "POST", body: photo, headers: { "Content-Type": "application/octet-stream" } };
    const told = await json("/api/photos", options);
    if (number !== asked) return;
    await show(photo, told);
    say("");
    at("answer").focus();
  } catch (error) {
    if (number === asked) say(error.message, { bad: true });
  }
}

async function show(photo, told) {
  URL.revokeObjectURL(at("sent").src);
  at("sent").src = URL.createObjectURL(photo);
  const kinds = told.kinds ?? [];
  at("untrained").hidden = told.kinds !== null;
  at("answer-h").textContent = kinds.length ? `${kinds[0].kind}, ${percent(kinds[0].confidence)} sure` : "An answer without a kind";
  at("kinds").replaceChildren(...kinds.map(({ kind, confidence }) => {
    const meter = made("meter", "");
    meter.max = 1;
    meter.value = confidence;
    meter.setAttribute("aria-hidden", "true");
    return made("li", "", made("span", kind), made("span", percent(confidence), { class: "number" }), meter);
  }));
  at("similar").replaceChildren(...told.similar.map(neighbour));
  if (!told.similar.length) at("similar").append(made("li", "The lake has no photos yet."));
  await draw(told);
  at("answer").hidden = false;
  // On a phone the plot is wider than the page: the ring is what it is scrolled to.
  const plot = at("scatter"), ring = at("here")?.getBoundingClientRect();
  if (ring) plot.scrollLeft += ring.x - plot.getBoundingClientRect().x - plot.clientWidth / 2;
}

function neighbour({ photo_id, label, similarity }) {
  const picture = made("img", "", { alt: "", loading: "lazy", src: `/api/photos/${photo_id}/picture` });
  // A person's photo has no picture, nor has one that can't be decoded.
  picture.addEventListener("error", () => picture.replaceWith(made("span", "no picture", { class: "none" })));
  return made("li", "", picture, made("strong", label ?? "no label"),
    made("span", ` ${similarity.toFixed(3)}`, { class: "number" }), made("small", photo_id, { title: photo_id }));
}

async function draw({ place, kinds }) {
  at("scatter").replaceChildren();
  if (!place) {
    at("where").textContent = "The lake has no PCA version with features yet: python run.py --layer gold fits one.";
    return;
  }
  at("where").textContent = `Its first two components are ${place.component_1.toFixed(2)} and ` +
    `${place.component_2.toFixed(2)}: the ring. Marks are photos of the lake` + (kinds ? ", those of its kind stronger." : ".");
  const answer = await fetch("/api/scatter");
  if (!answer.ok) return;
  const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
  const plot = parsed.querySelector("svg");
  for (const mark of plot.querySelectorAll("path[aria-label]")) {
    mark.classList.toggle("alike", !kinds || mark.getAttribute("aria-label") === kinds[0].kind);
  }
  const ring = document.createElementNS(PLACE, "circle");
  for (const [name, value] of Object.entries({ id: "here", cx: place.x, cy: place.y, r: 9 })) ring.setAttribute(name, value);
  plot.append(ring);
  at("scatter").append(plot);
}

function made(tag, words, ...rest) {
  const element = document.createElement(tag);
  element.textContent = words;
  for (const each of rest) {
    if (each instanceof Node) element.append(each);
    else for (const [name, value] of Object.entries(each)) element.setAttribute(name, value);
  }
  return element;
}

const percent = (share) => `${(share * 100).toFixed(1)} %`;

at("photo").addEventListener("change", () => ask(at("photo").files[0]));
at("drop").addEventListener("submit", (event) => event.preventDefault());
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    at("drop").classList.toggle("over", name === "dragover");
    if (name === "drop") ask(event.dataTransfer.files[0]);
  });
}
about();
