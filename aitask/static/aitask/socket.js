// A WebSocket that comes back: after a loss it tries again, slower each time, and tells the page meanwhile.
const FIRST_DELAY = 250;
const LONGEST_DELAY = 8000;
const SILENT_LOSS = 1500; // A restart of the server shorter than this is nobody's business.
const LOGIN_NEEDED = 4401;
const NOT_FOUND = 4404;

// A handshake that is refused says nothing; the page itself does, when the login or the permission has ended.
async function reloadIfNoLongerAllowed() {
  const page = await fetch(location.href, { redirect: "manual" }).catch(() => null);
  if (page?.type === "opaqueredirect" || [403, 404].includes(page?.status)) location.reload();
}

export class Socket {
  // `path` makes the path for each connection. `on` may have: connecting(), open(), message(data), lost(), and
  // ended(code) for the codes in `final`, after which it does not come back.
  constructor(path, on, { binary = false, final = [] } = {}) {
    this.path = path;
    this.on = on;
    this.binary = binary;
    this.final = new Set(final);
    this.delay = FIRST_DELAY;
    this.socket = null;
  }

  get isOpen() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  // Open, or about to be.
  get isTrying() {
    return this.socket !== null;
  }

  start() {
    this.drop();
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}${this.path()}`);
    if (this.binary) socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.on.connecting?.();
    this.listen(socket);
  }

  // A socket that was dropped meanwhile says nothing any more.
  listen(socket) {
    let wasOpen = false;
    const isCurrent = () => this.socket === socket;
    socket.addEventListener("open", () => {
      wasOpen = true;
      if (isCurrent()) this.on.open?.();
    });
    socket.addEventListener("message", ({ data }) => isCurrent() && this.on.message(data));
    socket.addEventListener("close", ({ code }) => isCurrent() && this.closed(code, wasOpen));
  }

  closed(code, wasOpen = true) {
    this.drop();
    if (code === LOGIN_NEEDED) return location.reload();
    if (this.final.has(code)) return this.on.ended(code);
    this.on.lost?.();
    if (!wasOpen) reloadIfNoLongerAllowed();
    this.timer = setTimeout(() => this.start(), this.delay * (0.5 + Math.random()));
    this.delay = Math.min(this.delay * 2, LONGEST_DELAY);
  }

  // The connection works: the next loss is followed by a quick try.
  settled() {
    this.delay = FIRST_DELAY;
  }

  drop() {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  // False when there is no connection.
  send(data) {
    if (!this.isOpen) return false;
    this.socket.send(data);
    return true;
  }

  say(message) {
    return this.send(JSON.stringify(message));
  }
}

// A socket of JSON messages that the page listens to for as long as it is there.
export function connect(path, { open = () => {}, message }) {
  let complaint = null;
  const send = (data) => socket.say(data);
  const socket = new Socket(
    () => path,
    {
      open() {
        socket.settled();
        clearTimeout(complaint);
        complaint = null;
        showLost(false);
        open(send);
      },
      message(text) {
        const data = JSON.parse(text);
        message(data, send);
        if (data.n) send({ ack: data.n });
      },
      lost() {
        complaint ??= setTimeout(() => showLost(true), SILENT_LOSS);
      },
      ended: () => location.assign("/"),
    },
    { final: [NOT_FOUND] },
  );
  socket.start();
  return { send };
}

function showLost(lost) {
  const bar = document.getElementById("linkbar");
  if (bar) bar.hidden = !lost;
}
