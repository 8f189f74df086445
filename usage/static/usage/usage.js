// Store the browser's time zone in a cookie, because the server renders days and times in the user's zone.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const shown = document.querySelector("[data-zone]")?.dataset.zone;
const known = document.cookie
  .split("; ")
  .find((part) => part.startsWith("aitask_zone="))
  ?.slice(12);
if (zone && known !== encodeURIComponent(zone)) {
  // biome-ignore lint/suspicious/noDocumentCookie: cookieStore is asynchronous and needs HTTPS
  document.cookie = `aitask_zone=${encodeURIComponent(zone)}; path=/; max-age=31536000; samesite=lax`;
  const isExplicit = new URLSearchParams(location.search).has("tz");
  if (shown && shown !== zone && !isExplicit && document.cookie.includes("aitask_zone=")) location.reload();
}
