// @ts-check
import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

/** A layer may import only what stands left of it: api <- models <- views <- index. */
const layer = (files, forbidden) => ({
  files: [files],
  rules: { 'no-restricted-imports': ['error', { patterns: forbidden }] }
});

/** What a browser gives to the views in the notebook, which are plain modules without a build. */
const browserNames = [
  'cancelAnimationFrame', 'clearInterval', 'clearTimeout', 'document', 'getComputedStyle', 'matchMedia',
  'MutationObserver', 'Path2D', 'performance', 'requestAnimationFrame', 'ResizeObserver', 'setInterval', 'setTimeout',
  'window'
];

const rules = {
  eqeqeq: 'error',
  'max-lines': ['error', 400],
  'max-lines-per-function': ['error', 60]
};

export default tseslint.config(
  { ignores: ['labextension/dist', 'labextension/lib', 'labextension/style'] },
  eslint.configs.recommended,
  {
    files: ['labextension/**'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { project: 'labextension/tsconfig.json' } },
    rules: {
      ...rules,
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }]
    }
  },
  {
    files: ['nbflow/live/browser/**'],
    languageOptions: { globals: Object.fromEntries(browserNames.map(name => [name, 'readonly'])) },
    rules
  },
  layer('labextension/src/api.ts', ['./models/*', './views/*', './index']),
  layer('labextension/src/models/**', ['**/views/*', '**/index']),
  layer('labextension/src/views/**', ['**/index'])
);
