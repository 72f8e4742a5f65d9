/** Owns the one-line progress view: the header of the graph alone. */

import { Header } from './header.js';

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
    // JupyterLab says so when the kernel is restarted: nothing will come any more.
    const lose = () => header.lose();
    model.on('comm_live_update', lose);
    return () => {
      model.off('change:head', show);
      model.off('comm_live_update', lose);
    };
  }
};
