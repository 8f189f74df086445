// xterm.js as this page needs it: its size is the server's, it scales to the room, and tmux answers the programs.
import { colours, onColours } from "./colours.js";
import { Questions } from "./questions.js";

const SCROLLBACK = 10_000;
const FONTS = { least: 9, usual: 13, most: 28, smallest: 5 };
const FONT_KEY = "terminal-font";

// The strict policy lets in only style sheets with the page's nonce, and no style attributes. xterm.js makes both:
// its sheets get the nonce, and what it writes into attributes goes through the element's style, which is allowed.
function obeyPolicy(nonce) {
  const make = document.createElement.bind(document);
  document.createElement = (name, options) => {
    const element = make(name, options);
    if (name === "style") element.nonce = nonce;
    if (name === "span" || name === "div") element.setAttribute = setAttribute;
    return element;
  };
}

function setAttribute(name, value) {
  if (name === "style") this.style.cssText = value;
  else Element.prototype.setAttribute.call(this, name, value);
}

export async function makeScreen(root, on) {
  const { xterm, fit, links, search, unicode, webgl, nonce } = root.dataset;
  obeyPolicy(nonce);
  const [{ Terminal }, { FitAddon }, { WebLinksAddon }, { SearchAddon }, { Unicode11Addon }, gl] = await Promise.all(
    [xterm, fit, links, search, unicode, webgl].map((address) => import(address)),
  );
  const term = new Terminal({
    allowProposedApi: true,
    cols: 80,
    rows: 24,
    scrollback: SCROLLBACK,
    scrollOnEraseInDisplay: true, // As tmux does it: what was cleared away is in the history.
    fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--mono"),
    fontSize: savedFont(),
    theme: colours(),
    minimumContrastRatio: 4.5,
    macOptionIsMeta: true,
    rightClickSelectsWord: false,
    screenReaderMode: false,
  });
  return new Screen(
    term,
    {
      fit: new FitAddon(),
      links: new WebLinksAddon(openLink),
      search: new SearchAddon(),
      unicode: new Unicode11Addon(),
      gl,
    },
    on,
  );
}

function openLink(_event, address) {
  if (/^https?:/.test(address)) window.open(address, "_blank", "noopener,noreferrer");
}

function savedFont() {
  const size = Number(localStorage.getItem(FONT_KEY));
  return size >= FONTS.least && size <= FONTS.most ? size : FONTS.usual;
}

// Where there is no graphics card the plain renderer is faster.
function drawsInSoftware() {
  const gl = document.createElement("canvas").getContext("webgl2");
  if (!gl) return true;
  const info = gl.getExtension("WEBGL_debug_renderer_info");
  const name = String(info && gl.getParameter(info.UNMASKED_RENDERER_WEBGL));
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|software/i.test(name);
}

class Screen {
  constructor(term, addons, on) {
    this.term = term;
    this.addons = addons;
    this.on = on;
    this.font = savedFont();
    this.room = document.getElementById("room");
    for (const name of ["fit", "links", "search", "unicode"]) term.loadAddon(addons[name]);
    term.unicode.activeVersion = "11";
    term.open(document.getElementById("term"));
    this.drawFast();
    this.questions = new Questions(term.parser, () => document.hidden);
    this.passOn();
    onColours((theme) => this.paint(theme));
    this.paint(colours());
    new ResizeObserver(() => this.roomChanged()).observe(this.room);
  }

  paint(theme) {
    this.term.options.theme = theme;
    this.room.style.setProperty("--term", theme.background);
  }

  drawFast() {
    if (drawsInSoftware()) {
      this.renderer = "dom";
      return;
    }
    try {
      const webgl = new this.addons.gl.WebglAddon();
      webgl.onContextLoss(() => webgl.dispose());
      this.term.loadAddon(webgl);
      this.renderer = "webgl";
    } catch {
      this.renderer = "dom";
    }
  }

  passOn() {
    const isReport = (data) => data === "\x1b[I" || data === "\x1b[O";
    this.term.onData((data) => {
      if (this.questions.answering || isReport(data)) this.on.answer(data);
      else this.on.type(new TextEncoder().encode(data));
    });
    this.term.onBinary((data) => this.on.type(Uint8Array.from(data, (char) => char.charCodeAt(0))));
  }

  write(bytes, shown) {
    this.term.write(bytes, shown);
  }

  // The room in columns and rows at the person's own font size. Measured once for each room and font: the width of a
  // character as xterm.js gives it varies with the columns shown, and two viewers would resize in turns for ever.
  capacity() {
    const { clientWidth, clientHeight } = this.room;
    const measured = `${clientWidth}×${clientHeight} ${this.font}`;
    if (measured !== this.measured) {
      this.fits = this.measure();
      this.measured = this.fits && measured;
    }
    return this.fits ?? { cols: this.term.cols, rows: this.term.rows };
  }

  measure() {
    const { options } = this.term;
    const shown = options.fontSize;
    options.fontSize = this.font;
    const proposed = this.addons.fit.proposeDimensions();
    options.fontSize = shown;
    return proposed?.cols && proposed?.rows ? proposed : null;
  }

  // The server says how large the session is; what does not fit is shown smaller.
  resize(cols, rows) {
    if (cols !== this.term.cols || rows !== this.term.rows) this.term.resize(cols, rows);
    this.fitFont();
    this.on.sized(cols, rows);
  }

  // While no server says how large a session is.
  fill() {
    const { cols, rows } = this.capacity();
    this.resize(cols, rows);
  }

  fitFont() {
    const { cols, rows } = this.capacity();
    const scale = Math.min(1, cols / this.term.cols, rows / this.term.rows);
    const phone = matchMedia("(max-width: 640px)").matches;
    const size = Math.max(phone ? FONTS.least - 1 : FONTS.smallest, Math.floor(this.font * scale * 2) / 2);
    if (size !== this.term.options.fontSize) this.term.options.fontSize = size;
    const tooWide = size > this.font * scale + 0.5;
    this.room.classList.toggle("wider", tooWide);
    this.room.classList.toggle("letterboxed", cols !== this.term.cols || rows !== this.term.rows);
  }

  roomChanged() {
    this.fitFont();
    this.on.room();
  }

  enlarge(step) {
    this.font = Math.min(FONTS.most, Math.max(FONTS.least, this.font + step));
    localStorage.setItem(FONT_KEY, String(this.font));
    this.roomChanged();
  }

  // Room for that many lines of history, kept once given.
  reserve(lines) {
    if (lines + 1000 > this.term.options.scrollback) this.term.options.scrollback = lines + 1000;
  }
}
