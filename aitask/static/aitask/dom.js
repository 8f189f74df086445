// Helpers that create elements.
export function make(name, css = "", text = "") {
  const element = document.createElement(name);
  if (css) element.className = css;
  if (text) element.textContent = text;
  return element;
}

export function makeButton(css, text, onClick) {
  const button = make("button", css, text);
  button.type = "button";
  button.addEventListener("click", onClick);
  return button;
}

// Parse HTML from the server into elements.
export function nodesOf(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return [...template.content.children];
}
