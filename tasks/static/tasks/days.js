// Done by day: above the cards of each day stands a heading that folds them. Days before yesterday start folded, and
// what is not loaded yet is loaded when the last day is opened.
const KEY = "board-days"; // of this tab: the days that the user has opened or folded, as { day: isOpen }
const LABEL = new Intl.DateTimeFormat("en", { weekday: "short", day: "numeric", month: "short" });
const DAY = 24 * 60 * 60 * 1000;

const midnight = (time) => new Date(time).setHours(0, 0, 0, 0);
const stored = () => JSON.parse(sessionStorage.getItem(KEY) || "{}");

// A card in Done has the negative microseconds of its last change as its place. One that was just dropped there has a
// place of its old column until the server has answered.
function dayOf(card) {
  const place = Number(card.dataset.order.split(" ")[1]);
  return midnight(place < 0 ? -place / 1000 : Date.now());
}

function labelOf(day) {
  const today = midnight(Date.now());
  if (day === today) return "Today";
  return day === midnight(today - DAY / 2) ? "Yesterday" : LABEL.format(day);
}

const isOpen = (day) => stored()[day] ?? day >= midnight(midnight(Date.now()) - DAY / 2);

function headingOf(list, day, first) {
  const known = document.getElementById(`day-${day}`);
  if (known) return known;
  const heading = document.createElement("li");
  heading.id = `day-${day}`;
  heading.className = "day";
  heading.dataset.day = day;
  heading.dataset.order = `0 ${-(day + DAY) * 1000}`; // Before all cards of the day, for `incoming.js`.
  heading.innerHTML = '<button type="button"><span class="label"></span> <span class="count"></span></button>';
  heading.querySelector("button").addEventListener("click", () => {
    sessionStorage.setItem(KEY, JSON.stringify({ ...stored(), [day]: !isOpen(day) }));
    showDays();
  });
  list.insertBefore(heading, first);
  return heading;
}

function showDay(list, day, cards, isCut) {
  const heading = headingOf(list, day, cards[0]);
  if (heading.nextElementSibling !== cards[0]) list.insertBefore(heading, cards[0]);
  heading.querySelector(".label").textContent = labelOf(day);
  heading.querySelector(".count").textContent = `${cards.length}${isCut ? "+" : ""}`;
  heading.querySelector("button").setAttribute("aria-expanded", isOpen(day));
  for (const card of cards) card.hidden = !isOpen(day);
}

// Call this after each change of the column. While the board is searched, everything that was found is shown.
export function showDays(isSearched = !!document.getElementById("f-search").value.trim()) {
  const list = document.getElementById("cards-done");
  if (!list) return;
  const days = Map.groupBy(list.querySelectorAll(":scope > .card"), dayOf);
  const more = list.querySelector(":scope > .more");
  const isPlain = isSearched || [...days.keys()].every((day) => labelOf(day) === "Today");
  for (const heading of list.querySelectorAll(":scope > .day"))
    if (isPlain || !days.has(Number(heading.dataset.day))) heading.remove();
  if (isPlain) for (const card of list.children) card.hidden = false;
  if (isPlain) return;
  const last = [...days.keys()].at(-1);
  for (const [day, cards] of days) showDay(list, day, cards, more && day === last);
  if (more) more.hidden = !isOpen(last);
}
