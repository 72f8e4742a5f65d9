/** Owns the one-line progress view: the header of the graph alone. */

import { Header } from './header.js';
import { watchKernel } from './kernel.js';

export default {
  render({ model, el }) {
    const header = new Header(model.get('looks'), model.get('order'));
    header.root.classList.add('nbflow-view', 'nbflow-progress');
    const show = () => {
      const head = model.get('head');
      header.show(head);
      Object.assign(header.root.dataset, { finished: head.finished, total: head.total });
    };
    model.on('change:head', show);
    el.append(header.root);
    show();
    const unwatch = watchKernel(model, () => header.lose());
    return () => {
      model.off('change:head', show);
      unwatch();
    };
  }
};
