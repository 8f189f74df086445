// Previews: the ports of a task's programs on its card and its page, and opening one in a new tab.
import { post } from "../aitask/send.js";

const ports = new Map();

// On the board: {task: [[port, program], …]}.
export function takePorts(changed) {
  for (const [pk, found] of Object.entries(changed)) found.length ? ports.set(pk, found) : ports.delete(pk);
  for (const pk of Object.keys(changed)) show(pk);
}

// After all cards, or one, were loaded again.
export function showPorts(only) {
  for (const pk of only ? [only] : ports.keys()) if (ports.has(pk)) show(pk);
}

function show(pk) {
  const card = document.getElementById(`card-${pk}`);
  card?.querySelector(".portlist")?.remove();
  const found = ports.get(pk);
  if (!card || !found) return;
  const list = document.createElement("ul");
  list.className = "portlist";
  list.ariaLabel = "Open ports";
  list.append(...found.map(([port, program]) => itemOf(card, pk, port, program)));
  card.querySelector(".meta").before(list);
}

function itemOf(card, pk, port, program) {
  const title = card.querySelector(".title").textContent;
  const button = Object.assign(document.createElement("button"), {
    className: "button tiny",
    type: "button",
    title: `Open what ${program || "the program"} shows on this port, in a new tab`,
    ariaLabel: `${port} ${program}: open the preview of ${title} in a new tab`,
    tabIndex: -1,
  });
  Object.assign(button.dataset, { preview: `/tasks/${pk}/ports/open`, port });
  const number = Object.assign(document.createElement("span"), { className: "num", textContent: port });
  const name = Object.assign(document.createElement("span"), { className: "dim cut", textContent: program });
  button.append(number, name);
  const item = document.createElement("li");
  item.append(button);
  return item;
}

// On the page of a task.
export function takePagePorts(html) {
  if (html === undefined) return;
  const place = document.getElementById("ports");
  place.hidden = !html;
  htmx.swap({ text: html, target: place, swap: "innerMorph", sourceElement: place });
}

// The tab is opened by the click itself: browsers block one that opens after an answer of the server.
async function open(address, port) {
  const tab = window.open("", "_blank");
  if (tab) tab.opener = null;
  const answer = await post(address, new URLSearchParams({ port }));
  if (!answer?.url) return tab?.close();
  if (tab) tab.location.replace(answer.url);
  else location.assign(answer.url);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-preview]");
  if (button) open(button.dataset.preview, button.dataset.port);
});
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.dataset.previewForm) return;
  event.preventDefault();
  open(form.dataset.previewForm, new FormData(form).get("port"));
});
