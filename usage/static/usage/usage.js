// The server shows days and times in the reader's zone; it learns the zone once, by a cookie.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const shown = document.querySelector("[data-zone]")?.dataset.zone;
const known = document.cookie
  .split("; ")
  .find((part) => part.startsWith("aitask_zone="))
  ?.slice(12);
if (zone && known !== encodeURIComponent(zone)) {
  // biome-ignore lint/suspicious/noDocumentCookie: cookieStore answers later than the page reads it, and needs HTTPS
  document.cookie = `aitask_zone=${encodeURIComponent(zone)}; path=/; max-age=31536000; samesite=lax`;
  const asked = new URLSearchParams(location.search).has("tz");
  if (shown && shown !== zone && !asked && document.cookie.includes("aitask_zone=")) location.reload();
}
