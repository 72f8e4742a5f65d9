/** Owns the colours of the canvas: what the style sheet says under the theme of now. */

const NAMES = ['text', 'muted', 'surface', 'raised', 'line', 'accent'];

/** Resolves the colours of states and surfaces under `root` to what a canvas understands. */
export function readTheme(root, looks) {
  const probe = document.createElement('span');
  probe.hidden = true;
  root.append(probe);
  const resolved = value => {
    probe.style.color = value;
    return getComputedStyle(probe).color;
  };
  const theme = Object.fromEntries(NAMES.map(name => [name, resolved(`var(--nbflow-${name})`)]));
  theme.states = looks.map(look => resolved(look.css));
  theme.font = getComputedStyle(root).fontFamily;
  probe.remove();
  return theme;
}

/** Calls `onChange` when the page gets another theme; returns the way to stop that. */
export function watchTheme(onChange) {
  const observer = new MutationObserver(() => setTimeout(onChange, 60));
  const options = { attributes: true, attributeFilter: ['class', 'data-jp-theme-name', 'data-jp-theme-light'] };
  observer.observe(document.body, options);
  return () => observer.disconnect();
}

export function wantsStillness() {
  return matchMedia('(prefers-reduced-motion: reduce)').matches;
}
