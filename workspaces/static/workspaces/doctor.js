// The page of a workspace: the health check runs by itself after the workspace was added and after a host was trusted.
const check = document.getElementById("check");

document.addEventListener("trusted", () => check.requestSubmit());
if (location.hash === "#doctor") check.requestSubmit();
