// The strip above the lanes.
import { html, useMemo, useRef } from "./vendor/htm-preact.js";
import { densityOf } from "./model.js";

export const SHORTEST_MS = 20; // that the lanes may show
const BARS = 160; // parts of the strip

// All of time in a strip: where attempts are, and which part the lanes show. A drag over it chooses a part.
export function Strip({ messages, all, view, now, names, setView }) {
  const { good, bad, most } = useMemo(() => densityOf(messages, all[0], all[1], BARS), [messages, all[0], all[1]]);
  const ref = useRef(null);
  const start = useRef(null);
  const share = (at) => ((at - all[0]) / (all[1] - all[0])) * BARS;
  const at = (event) => {
    const box = ref.current.getBoundingClientRect();
    return all[0] + Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * (all[1] - all[0]);
  };
  const bars = (counts, below) =>
    counts
      .map((count, index) => {
        const low = below ? (below[index] / most) * 22 : 0;
        const high = (count / most) * 22;
        return count ? `M${index + 0.15} ${24 - low}v${-Math.max(1.5, high)}h0.7v${Math.max(1.5, high)}z` : "";
      })
      .join("");
  return html`<svg
    ref=${ref}
    class="strip"
    viewBox=${`0 0 ${BARS} 26`}
    preserveAspectRatio="none"
    aria-hidden="true"
    onPointerDown=${(event) => {
      start.current = at(event);
      event.currentTarget.setPointerCapture(event.pointerId);
    }}
    onPointerMove=${(event) => {
      if (start.current === null || !(event.buttons & 1)) return;
      const pair = [start.current, at(event)].sort((a, b) => a - b);
      if (pair[1] - pair[0] > SHORTEST_MS) setView(pair);
    }}
    onPointerUp=${() => (start.current = null)}
    onDblClick=${() => setView(null)}
  >
    <path class="good" d=${bars(good)} />
    <path class="bad" d=${bars(bad, good)} />
    <rect
      class="strip-view"
      x=${Math.max(0, share(view[0]))}
      width=${Math.max(0.6, Math.min(BARS, share(view[1])) - Math.max(0, share(view[0])))}
      y="0"
      height="26"
    />
    <line class="strip-now" x1=${share(now)} x2=${share(now)} y1="0" y2="26" />
  </svg>`;
}
