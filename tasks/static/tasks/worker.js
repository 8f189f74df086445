// The service worker: shows push notifications and handles clicks on them. It caches nothing.
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("push", (event) => {
  const news = event.data?.json();
  if (news) event.waitUntil(show(news));
});

// A visible page shows notifications itself. The tag replaces an earlier notification about the same subject.
async function show(news) {
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  if (pages.some((page) => page.visibilityState === "visible")) return;
  await self.registration.showNotification(news.title, { body: news.body, tag: news.tag, data: { url: news.url } });
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data?.url ?? "/"));
});

async function open(url) {
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const existing = pages.find((page) => new URL(page.url).pathname === url);
  if (existing) return existing.focus();
  return self.clients.openWindow(url);
}
