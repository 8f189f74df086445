// Elapsed and relative times, updated every second. They use the server's time, as the local clock may be wrong.
const meta = document.querySelector('meta[name="server-time"]');
const skew = meta ? Number(meta.content) * 1000 - performance.timeOrigin - performance.now() : 0;
const now = () => performance.timeOrigin + performance.now() + skew;

export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole}s`;
  const two = (n) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

function relative(seconds) {
  for (const [size, unit] of [
    [86400, "d"],
    [3600, "h"],
    [60, "m"],
  ]) {
    if (Math.abs(seconds) < size) continue;
    const amount = Math.floor(Math.abs(seconds) / size);
    return seconds > 0 ? `${amount}${unit} ago` : `in ${amount}${unit}`;
  }
  return "now";
}

const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const hour = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

// The local time of day, with the date unless it is today.
function timeOfDay(moment) {
  const isToday = new Date(moment).toDateString() === new Date(now()).toDateString();
  return isToday ? hour.format(moment) : `${day.format(moment)}, ${hour.format(moment)}`;
}

function show(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function showSilence(element) {
  const seconds = (now() - Date.parse(element.dataset.silent)) / 1000;
  element.hidden = seconds < Number(element.dataset.after);
  show(element, `Silent for ${Math.floor(seconds / 60)} min`);
}

export function tick(root = document) {
  for (const e of root.querySelectorAll("time[data-since]"))
    show(e, clock((now() - Date.parse(e.dataset.since)) / 1000));
  for (const e of root.querySelectorAll("[data-silent]")) showSilence(e);
  for (const e of root.querySelectorAll("time[data-at]")) show(e, timeOfDay(Date.parse(e.dateTime)));
  for (const e of root.querySelectorAll("time[data-ago]")) show(e, relative((now() - Date.parse(e.dateTime)) / 1000));
}

const full = new Intl.DateTimeFormat("sv-SE", {
  year: "numeric",
  month: "2-digit",
  day: "2-digit",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  timeZoneName: "short",
});

// Tooltips come from the server in UTC: convert them to local time on hover.
document.addEventListener("pointerover", ({ target }) => {
  const element = target.closest?.("[title$=' UTC']");
  if (!element) return;
  element.title = element.title.replace(/(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC$/, (_, date, time) =>
    full.format(Date.parse(`${date}T${time}Z`)),
  );
});

setInterval(() => document.hidden || tick(), 1000);
document.addEventListener("visibilitychange", () => document.hidden || tick());
tick();
