// Sends the photo that the reader chooses or drops, and shows the answer. The page keeps nothing either.
const at = (id) => document.getElementById(id);
const SVG_NAMESPACE = "http://www.w3.org/2000/svg";
let asked = 0; // the number of the last photo: an answer to an earlier one is not shown any more
let token = remembered(); // what the server asks for, where it asks for something

function remembered(words) {
  try {
    if (words !== undefined) sessionStorage.setItem("token", words);
    return sessionStorage.getItem("token");
  } catch {
    return words ?? null; // a browser that stores nothing: the token is asked for again after a reload
  }
}

async function fetched(path, options = {}) {
  const headers = { ...options.headers, ...(token && { Authorization: `Bearer ${token}` }) };
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch {
    throw new Error("The server does not answer: start run.py serve again.");
  }
  if (answer.status === 401) {
    const words = token ? "This is not the token of the server; enter it again." : "Enter the token of the server.";
    await answer.text(); // an answer that is not read keeps its connection
    enter({ is_open: true });
    throw new Error(words);
  }
  return answer;
}

async function json(path, options) {
  const answer = await fetched(path, options);
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.detail ?? `The server answers with the error ${answer.status}; try again.`);
  return body;
}

function say(words, { bad = false } = {}) {
  at("state").textContent = words;
  at("state").classList.toggle("bad", bad);
}

function enter({ is_open }) {
  at("enter").hidden = !is_open;
  at("drop").hidden = is_open;
  if (is_open) at("token").focus();
}

async function about() {
  try {
    const lake = await json("/api/about");
    enter({ is_open: false });
    at("about").textContent = `Compared with ${lake.photos.toLocaleString("en")} photos of the lake` +
      (lake.classifier ? `; the kind is predicted by ${lake.classifier}, which was ${lake.accuracy}.` : ".");
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
  say("Looking at the photo …");
  try {
    const options = { method: "POST", body: photo, headers: { "Content-Type": "application/octet-stream" } };
    const answer = await json("/api/photos", options);
    if (number !== asked) return;
    await show(photo, answer);
    say("");
    at("answer").focus();
  } catch (error) {
    if (number === asked) say(error.message, { bad: true });
  }
}

// Not every browser shows every format that the lake takes, such as HEIC.
at("sent").addEventListener("error", () => { at("sent").hidden = true; });

async function show(photo, answer) {
  URL.revokeObjectURL(at("sent").src);
  at("sent").hidden = false;
  at("sent").src = URL.createObjectURL(photo);
  const kinds = answer.kinds ?? [];
  at("untrained").hidden = answer.kinds !== null;
  at("trained").hidden = answer.trained_on !== true;
  at("answer-h").textContent = headline(kinds, answer.verdict);
  at("verdict").textContent = meaning(kinds, answer);
  at("verdict").hidden = !at("verdict").textContent;
  at("kinds").replaceChildren(...kinds.map(({ kind, confidence }) => {
    // How likely a kind is among those that it knows says nothing about a photo of something else.
    if (answer.verdict === "nothing_like_it") return element("li", kind);
    const meter = element("meter", "");
    meter.max = 1;
    meter.value = confidence;
    meter.setAttribute("aria-hidden", "true");
    return element("li", "", element("span", kind), element("span", percent(confidence), { class: "number" }), meter);
  }));
  at("similar").replaceChildren(...answer.similar.map(neighbour));
  if (!answer.similar.length) at("similar").append(element("li", "The lake has no photos yet."));
  await draw(answer);
  at("answer").hidden = false;
  // On a phone the plot is wider than the page, so it is scrolled to the ring.
  const plot = at("scatter"), ring = at("here")?.getBoundingClientRect();
  if (ring) plot.scrollLeft += ring.x - plot.getBoundingClientRect().x - plot.clientWidth / 2;
}

function headline(kinds, verdict) {
  if (!kinds.length) return "An answer without a kind";
  if (verdict === "nothing_like_it") return "Nothing like this in the lake";
  if (verdict === "not_sure") return `Not sure: perhaps ${kinds[0].kind}`;
  return `${kinds[0].kind}, ${percent(kinds[0].confidence)} sure`;
}

// What a verdict means, in words for somebody who knows no classifiers.
function meaning(kinds, { verdict, sure_from }) {
  if (verdict === "nothing_like_it") {
    return "The photo is unlike every kind of fruit that the classifier knows, so it may show none of them, or no fruit " +
      "at all. If it does show one, these are the likeliest:";
  }
  if (verdict !== "not_sure") return "";
  return sure_from === null
    ? "This classifier is sure of no photo: its test could not show that its answers are right often enough. More photos " +
      "of each kind, from other days and places, would help it. It may be:"
    : `A confidence of ${percent(kinds[0].confidence)} is too little to rely on: below ${percent(sure_from)}, too ` +
      "few answers were tested, or too many were wrong. It may be:";
}

function neighbour({ photo_id, label, similarity }) {
  const picture = element("img", "", { alt: "" });
  picture.addEventListener("load", () => URL.revokeObjectURL(picture.src));
  // The server has no picture of a person's photo, or of one that can't be decoded.
  const none = () => picture.replaceWith(element("span", "no picture", { class: "none" }));
  // An address alone would send no token.
  fetched(`/api/photos/${photo_id}/picture`).then(async (answer) => {
    const jpeg = await answer.blob();
    if (answer.status !== 200) return none();
    picture.src = URL.createObjectURL(jpeg);
  }).catch(none);
  return element("li", "", picture, element("strong", label ?? "no label"),
    element("span", ` ${similarity.toFixed(3)}`, { class: "number" }), element("small", photo_id, { title: photo_id }));
}

async function draw({ place, kinds, verdict }) {
  at("scatter").replaceChildren();
  if (!place) {
    at("where").textContent = "The lake has no PCA version with features yet: python run.py --layer gold fits one.";
    return;
  }
  const likeliest = verdict === "nothing_like_it" ? undefined : kinds?.[0].kind;
  at("where").textContent = `The first two components of the photo are ${place.component_1.toFixed(2)} and ` +
    `${place.component_2.toFixed(2)}; the ring shows the place. The marks are photos of the lake` +
    (likeliest ? ", and those of the same kind are stronger." : ".");
  const answer = await fetched("/api/scatter");
  if (!answer.ok) return;
  const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
  const plot = parsed.querySelector("svg");
  for (const mark of plot.querySelectorAll("path[aria-label]")) {
    mark.classList.toggle("alike", !likeliest || mark.getAttribute("aria-label") === likeliest);
  }
  const ring = document.createElementNS(SVG_NAMESPACE, "circle");
  for (const [name, value] of Object.entries({ id: "here", cx: place.x, cy: place.y, r: 9 })) ring.setAttribute(name, value);
  plot.append(ring);
  at("scatter").append(plot);
}

function element(tag, words, ...rest) {
  const created = document.createElement(tag);
  created.textContent = words;
  for (const each of rest) {
    if (each instanceof Node) created.append(each);
    else for (const [name, value] of Object.entries(each)) created.setAttribute(name, value);
  }
  return created;
}

const percent = (share) => `${(share * 100).toFixed(1)}\u00a0%`; // the sign stays in the line of its number

at("photo").addEventListener("change", () => ask(at("photo").files[0]));
at("drop").addEventListener("submit", (event) => event.preventDefault());
at("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  // A header takes only signs of ASCII, and no token has others.
  token = at("token").value.replace(/[^!-~]/g, "");
  remembered(token);
  at("token").value = "";
  about();
});
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    at("drop").classList.toggle("over", name === "dragover");
    if (name === "drop") ask(event.dataTransfer.files[0]);
  });
}
about();
