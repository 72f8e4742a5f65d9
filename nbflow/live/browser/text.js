/** Owns the fitting of text into a width. */

/** Shortens a text to a width in pixels, in the font of now. */
export function elided(context, text, room) {
  if (context.measureText(text).width <= room) {
    return text;
  }
  let length = text.length;
  while (length > 1 && context.measureText(`${text.slice(0, length)}…`).width > room) {
    length--;
  }
  return `${text.slice(0, length)}…`;
}
