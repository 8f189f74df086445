// Making elements.
export function make(name, css = "", text = "") {
  const made = document.createElement(name);
  if (css) made.className = css;
  if (text) made.textContent = text;
  return made;
}

export function makeButton(css, text, onClick) {
  const button = make("button", css, text);
  button.type = "button";
  button.addEventListener("click", onClick);
  return button;
}

// The elements of HTML that the server has sent.
export function nodesOf(html) {
  const made = document.createElement("template");
  made.innerHTML = html;
  return [...made.content.children];
}
