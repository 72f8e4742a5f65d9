/**
 * Owns nbflow's mark: one task that fans out to three and back in.
 */

import { LabIcon } from '@jupyterlab/ui-components';

import svgstr from '../../style/nbflow.svg';

export const nbflowIcon = new LabIcon({ name: 'nbflow:mark', svgstr });
