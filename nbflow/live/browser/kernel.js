/** Owns the question whether a Jupyter kernel still stands behind a view. */

const LOOK_MILLISECONDS = 3000;

/** Calls `onLost` once, when the kernel of a model has been restarted or has ended; returns the way to stop that. */
export function watchKernel(model, onLost) {
  const lose = () => {
    end();
    onLost();
  };
  // A restart is told; for an end one has to look. Asking the kernel itself would make it look idle in mid-cell.
  const look = setInterval(() => isGone(model.widget_manager?.kernel) && lose(), LOOK_MILLISECONDS);
  const end = () => {
    clearInterval(look);
    model.off('comm_live_update', lose);
  };
  model.on('comm_live_update', lose);
  return end;
}

/** JupyterLab says null for no kernel; a front end that says nothing (undefined) is trusted. */
function isGone(kernel) {
  return kernel === null || kernel?.isDisposed || kernel?.status === 'dead';
}
