/**
 * Owns nbflow's mark: one task that fans out to three and back in.
 */

import { LabIcon } from '@jupyterlab/ui-components';

import svgstr from '../../style/nbflow.svg';

export const nbflowIcon = new LabIcon({ name: 'nbflow:mark', svgstr });

/** The mark as an image: the launcher's kernel categories show no other icon. */
export const nbflowIconUrl = `data:image/svg+xml,${encodeURIComponent(svgstr)}`;
