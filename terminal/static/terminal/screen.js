// xterm.js for this page: the server sets its size, the font scales to the available space, and tmux answers queries.
import { colours, onColours } from "./colours.js";
import { Questions } from "./questions.js";

const SCROLLBACK = 10_000;
const FONTS = { min: 9, normal: 13, max: 28, smallest: 5 }; // `smallest` is for scaled-down sessions.
const FONT_KEY = "terminal-font";

// The CSP allows only style sheets with the page's nonce, and no style attributes. xterm.js creates both: add the nonce
// to its style sheets, and set its style attributes by the element's `style` property, which is allowed.
function complyWithCsp(nonce) {
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

export async function makeScreen(root, nonce, on) {
  const { xterm, fit, links, search, unicode, webgl } = root.dataset;
  complyWithCsp(nonce);
  const [{ Terminal }, { FitAddon }, { WebLinksAddon }, { SearchAddon }, { Unicode11Addon }, gl] = await Promise.all(
    [xterm, fit, links, search, unicode, webgl].map((address) => import(address)),
  );
  const term = new Terminal({
    allowProposedApi: true,
    cols: 80,
    rows: 24,
    scrollback: SCROLLBACK,
    scrollOnEraseInDisplay: true, // Like tmux: cleared lines move to the history.
    fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--mono"),
    fontSize: savedFont(),
    theme: colours(),
    minimumContrastRatio: 4.5,
    macOptionIsMeta: true,
    rightClickSelectsWord: false,
    screenReaderMode: false,
  });
  return new Screen(
    root,
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
  return size >= FONTS.min && size <= FONTS.max ? size : FONTS.normal;
}

// Without a GPU the DOM renderer is faster than WebGL.
function isSoftwareRendered() {
  const gl = document.createElement("canvas").getContext("webgl2");
  if (!gl) return true;
  const info = gl.getExtension("WEBGL_debug_renderer_info");
  const name = String(info && gl.getParameter(info.UNMASKED_RENDERER_WEBGL));
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|software/i.test(name);
}

class Screen {
  constructor(root, term, addons, on) {
    this.term = term;
    this.addons = addons;
    this.on = on;
    this.font = savedFont();
    this.container = root.querySelector("#term-room");
    for (const name of ["fit", "links", "search", "unicode"]) term.loadAddon(addons[name]);
    term.unicode.activeVersion = "11";
    term.open(root.querySelector("#term-grid"));
    this.chooseRenderer();
    this.questions = new Questions(term.parser, () => document.hidden);
    this.forwardInput();
    onColours((theme) => this.setTheme(theme));
    this.setTheme(colours());
    new ResizeObserver(() => this.onContainerResized()).observe(this.container);
  }

  setTheme(theme) {
    this.term.options.theme = theme;
    this.container.style.setProperty("--term", theme.background);
  }

  chooseRenderer() {
    if (isSoftwareRendered()) {
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

  forwardInput() {
    const isReport = (data) => data === "\x1b[I" || data === "\x1b[O";
    this.term.onData((data) => {
      if (this.questions.answering || isReport(data)) this.on.answer(data);
      else this.on.type(new TextEncoder().encode(data));
    });
    this.term.onBinary((data) => this.on.type(Uint8Array.from(data, (char) => char.charCodeAt(0))));
  }

  write(bytes, done) {
    this.term.write(bytes, done);
  }

  // The available space in columns and rows at the user's own font size. Measured once per space and font: the
  // character width that xterm.js reports depends on the current columns, so two viewers would keep resizing in turns.
  capacity() {
    const { clientWidth, clientHeight } = this.container;
    const key = `${clientWidth}×${clientHeight} ${this.font}`;
    if (key !== this.measuredKey) {
      this.measured = this.measure();
      this.measuredKey = this.measured && key;
    }
    return this.measured ?? { cols: this.term.cols, rows: this.term.rows };
  }

  measure() {
    const { options } = this.term;
    const shown = options.fontSize;
    options.fontSize = this.font;
    const proposed = this.addons.fit.proposeDimensions();
    options.fontSize = shown;
    return proposed?.cols && proposed?.rows ? proposed : null;
  }

  // Set the session's size as reported by the server. If it does not fit, the font is scaled down.
  resize(cols, rows) {
    if (cols !== this.term.cols || rows !== this.term.rows) this.term.resize(cols, rows);
    this.fitFont();
    this.on.resized(cols, rows);
  }

  // Use the available space as the size while no session is connected.
  fill() {
    const { cols, rows } = this.capacity();
    this.resize(cols, rows);
  }

  fitFont() {
    const { cols, rows } = this.capacity();
    const scale = Math.min(1, cols / this.term.cols, rows / this.term.rows);
    const phone = matchMedia("(max-width: 640px)").matches;
    const size = Math.max(phone ? FONTS.min - 1 : FONTS.smallest, Math.floor(this.font * scale * 2) / 2);
    if (size !== this.term.options.fontSize) this.term.options.fontSize = size;
    const tooWide = size > this.font * scale + 0.5;
    this.container.classList.toggle("wider", tooWide);
    this.container.classList.toggle("letterboxed", cols !== this.term.cols || rows !== this.term.rows);
  }

  onContainerResized() {
    this.fitFont();
    this.on.capacityChanged();
  }

  changeFont(step) {
    this.font = Math.min(FONTS.max, Math.max(FONTS.min, this.font + step));
    localStorage.setItem(FONT_KEY, String(this.font));
    this.onContainerResized();
  }

  // Grow the scrollback to hold at least this many lines.
  reserve(lines) {
    if (lines + 1000 > this.term.options.scrollback) this.term.options.scrollback = lines + 1000;
  }
}
