// Many rows, of which only those in sight are drawn; each is equally high.
import { useEffect, useLayoutEffect, useRef, useState } from "./vendor/htm-preact.js";

const MORE = 6; // rows that are drawn above and below those in sight, for a steady scroll

// Return what is in sight of a scrolling element: its ref, its width, and the first row and the one after the last.
export function useWindow(count, height) {
  const ref = useRef(null);
  const [seen, setSeen] = useState({ top: 0, height: 600, width: 800 });
  useLayoutEffect(() => {
    const element = ref.current;
    const look = () => {
      const next = { top: element.scrollTop, height: element.clientHeight, width: element.clientWidth };
      setSeen((last) =>
        last.top === next.top && last.height === next.height && last.width === next.width ? last : next,
      );
    };
    look();
    element.addEventListener("scroll", look, { passive: true });
    const watcher = new ResizeObserver(look);
    watcher.observe(element);
    return () => {
      element.removeEventListener("scroll", look);
      watcher.disconnect();
    };
  }, []);
  const first = Math.max(0, Math.min(Math.floor(seen.top / height) - MORE, count - 1));
  const end = Math.min(count, Math.ceil((seen.top + seen.height) / height) + MORE);
  return { ref, width: seen.width, height: seen.height, first, end };
}

// Bring row *index* into sight.
export function scrollTo(element, index, height) {
  const top = index * height;
  if (top < element.scrollTop) element.scrollTop = top;
  else if (top + height > element.scrollTop + element.clientHeight)
    element.scrollTop = top + height - element.clientHeight;
}

// Move *index* as a key asks; undefined for other keys.
export function moved(key, index, count, page) {
  const to = {
    ArrowDown: index + 1,
    ArrowUp: index - 1,
    PageDown: index + page,
    PageUp: index - page,
    Home: 0,
    End: count - 1,
  }[key];
  return to === undefined ? undefined : Math.max(0, Math.min(count - 1, to));
}

// Return what is now, which moves by itself where the server's clock is real.
export function useNow(picture) {
  const [, tick] = useState(0);
  const runs = picture.runs_by_itself && picture.status === "live";
  useEffect(() => {
    if (!runs) return undefined;
    const timer = setInterval(() => tick((count) => count + 1), 500);
    return () => clearInterval(timer);
  }, [runs]);
  return runs ? picture.now + Math.round(performance.now() - picture.taken) : picture.now;
}
