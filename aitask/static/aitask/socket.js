// A WebSocket that reconnects with increasing delays and reports its state to the page.
const FIRST_DELAY = 250;
const LONGEST_DELAY = 8000;
const SILENT_LOSS = 1500; // A shorter interruption, such as a restart of the server, is not shown.
const LOGIN_NEEDED = 4401;
const NOT_FOUND = 4404;

// A refused handshake has no status. Request the page itself to learn whether the login or the permission has ended.
async function reloadIfNoLongerAllowed() {
  const page = await fetch(location.href, { redirect: "manual" }).catch(() => null);
  if (page?.type === "opaqueredirect" || [403, 404].includes(page?.status)) location.reload();
}

export class Socket {
  // `path` returns the path for each connection. `on` may have: connecting(), open(), message(data), lost(), and
  // ended(code), which is called for the close codes in `final`: after them the socket does not reconnect.
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

  // Open, or connecting.
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

  // Events of a socket that was replaced or dropped are ignored.
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

  // The connection works: reset the delay for the next reconnect.
  settled() {
    this.delay = FIRST_DELAY;
  }

  drop() {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  // Return false if there is no connection.
  send(data) {
    if (!this.isOpen) return false;
    this.socket.send(data);
    return true;
  }

  sendJson(message) {
    return this.send(JSON.stringify(message));
  }
}

// Connect a socket for JSON messages that stays open as long as the page does.
export function connect(path, { open = () => {}, message }) {
  let notice = null;
  const send = (data) => socket.sendJson(data);
  const socket = new Socket(
    () => path,
    {
      open() {
        socket.settled();
        clearTimeout(notice);
        notice = null;
        showLost(false);
        open(send);
      },
      message(text) {
        const data = JSON.parse(text);
        message(data, send);
        if (data.n) send({ ack: data.n });
      },
      lost() {
        notice ??= setTimeout(() => showLost(true), SILENT_LOSS);
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
