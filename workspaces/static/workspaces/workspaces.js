// The form shows the SSH fields only for a server.
const form = document.querySelector(".wsform");
form.addEventListener("change", (event) => {
  if (event.target.name === "kind") form.dataset.kind = event.target.value;
});
