/** Owns the making of elements. Texts become text nodes, never markup: they come from users' code. */

const SVG = 'http://www.w3.org/2000/svg';

/** Makes an element of a class with children: strings and elements; null is left out. */
export function element(tag, className, ...children) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children.filter(child => child !== null));
  return made;
}

/** Makes a button that says what it does. */
export function button(className, label, title, onClick) {
  const made = element('button', className, label);
  made.type = 'button';
  made.title = title;
  made.setAttribute('aria-label', title);
  made.addEventListener('click', onClick);
  return made;
}

/** Makes the icon of a state: a disc or a ring with its sign, in the colour of the state. */
export function stateIcon(look) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '-8 -8 16 16');
  svg.setAttribute('aria-hidden', 'true');
  svg.classList.add('nbflow-icon');
  svg.style.setProperty('--nbflow-state', look.css);
  const disc = document.createElementNS(SVG, 'circle');
  disc.setAttribute('r', '6.5');
  const sign = document.createElementNS(SVG, 'path');
  sign.setAttribute('d', look.glyph);
  svg.classList.toggle('nbflow-solid', look.is_solid);
  svg.append(disc, sign);
  return svg;
}

/** Makes a list of names and values. */
export function facts(pairs) {
  const list = element('dl', 'nbflow-facts');
  for (const [name, value] of pairs) {
    if (value !== null && value !== undefined && value !== '') {
      list.append(element('dt', '', name), element('dd', '', value));
    }
  }
  return list;
}
