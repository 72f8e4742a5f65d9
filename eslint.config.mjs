// @ts-check
import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

/** A layer may import only what stands left of it: api <- models <- views <- index. */
const layer = (files, forbidden) => ({
  files: [files],
  rules: { 'no-restricted-imports': ['error', { patterns: forbidden }] }
});

export default tseslint.config(
  { ignores: ['labextension/dist', 'labextension/lib', 'labextension/style'] },
  eslint.configs.recommended,
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { project: 'labextension/tsconfig.json' } },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      eqeqeq: 'error',
      'max-lines': ['error', 400],
      'max-lines-per-function': ['error', 60]
    }
  },
  layer('labextension/src/api.ts', ['./models/*', './views/*', './index']),
  layer('labextension/src/models/**', ['**/views/*', '**/index']),
  layer('labextension/src/views/**', ['**/index'])
);
