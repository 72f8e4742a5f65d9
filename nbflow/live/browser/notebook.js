/** Owns the notebook around a view, in JupyterLab: its cells by their ids. Elsewhere there is none to be had. */

/** The cells of the notebook that a view's model belongs to; none where the front end does not tell. */
function cellsOf(model) {
  return [...(model.widget_manager?.context?.model?.cells ?? [])];
}

/** Tells whether a cell has a text in it, once. */
export function hasText(model, cellId, text) {
  return sourceOf(model, cellId).split(text).length === 2;
}

/** Puts a text in the place of another in a cell; false where that is not there any more. */
export function replaceText(model, cellId, before, after) {
  if (!hasText(model, cellId, before)) {
    return false;
  }
  const [head, tail] = sourceOf(model, cellId).split(before);
  cellWith(model, cellId).sharedModel.setSource(head + after + tail);
  return true;
}

/** Brings a cell into view; false where it cannot be found. */
export function scrollToCell(model, cellId, root) {
  const index = cellsOf(model).findIndex(cell => cell.id === cellId);
  const found = root.closest('.jp-Notebook')?.querySelector(`.jp-Cell[data-windowed-list-index="${index}"]`);
  if (index < 0 || !found) {
    return false;
  }
  found.scrollIntoView({ block: 'center', behavior: 'smooth' });
  found.animate([{ boxShadow: '0 0 0 3px var(--jp-brand-color1)' }, { boxShadow: '0 0 0 3px transparent' }], 1600);
  return true;
}

/** Adds a code cell below the one that a view stands in; false where that cannot be. */
export function addCell(model, root, source) {
  const index = Number(root.closest('.jp-Cell')?.dataset.windowedListIndex ?? NaN);
  const notebook = model.widget_manager?.context?.model?.sharedModel;
  if (Number.isNaN(index) || !notebook?.insertCell) {
    return false;
  }
  notebook.insertCell(index + 1, { cell_type: 'code', source });
  return true;
}

function cellWith(model, cellId) {
  return cellsOf(model).find(cell => cell.id === cellId);
}

function sourceOf(model, cellId) {
  return cellWith(model, cellId)?.sharedModel.getSource() ?? '';
}
