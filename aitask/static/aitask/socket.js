// A WebSocket that comes back: after a loss it tries again, slower each time, and tells the page meanwhile.
const FIRST_DELAY = 250;
const LONGEST_DELAY = 8000;
const SILENT_LOSS = 1500; // A restart of the server shorter than this is nobody's business.
const LOGIN_NEEDED = 4401;
const NOT_FOUND = 4404;

// A handshake that is refused says nothing; the page itself does, when the login or the permission has ended.
export async function reloadIfNoLongerAllowed() {
  const page = await fetch(location.href, { redirect: "manual" }).catch(() => null);
  if (page?.type === "opaqueredirect" || [403, 404].includes(page?.status)) location.reload();
}

export function connect(path, { open = () => {}, message }) {
  const address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
  let socket;
  let delay = FIRST_DELAY;
  let complaint;

  function start() {
    socket = new WebSocket(address);
    let wasOpen = false;
    socket.addEventListener("open", () => {
      wasOpen = true;
      delay = FIRST_DELAY;
      clearTimeout(complaint);
      complaint = null;
      showLost(false);
      open(send);
    });
    socket.addEventListener("message", (event) => {
      const data = JSON.parse(event.data);
      message(data, send);
      if (data.n) send({ ack: data.n });
    });
    socket.addEventListener("close", ({ code }) => {
      if (code === LOGIN_NEEDED) return location.reload();
      if (code === NOT_FOUND) return location.assign("/");
      if (!wasOpen) reloadIfNoLongerAllowed();
      complaint ??= setTimeout(() => showLost(true), SILENT_LOSS);
      setTimeout(start, delay * (0.5 + Math.random()));
      delay = Math.min(delay * 2, LONGEST_DELAY);
    });
  }

  function send(data) {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(data));
  }

  start();
  return { send };
}

function showLost(lost) {
  const bar = document.getElementById("linkbar");
  if (bar) bar.hidden = !lost;
}
