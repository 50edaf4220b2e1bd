import js from '@eslint/js';
import jupyter from '@jupyter/eslint-plugin';
import prettier from 'eslint-config-prettier';
import reactHooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

const typescript = ['src/**/*.ts', 'src/**/*.tsx', 'ui-tests/**/*.ts'];

export default tseslint.config(
  {
    ignores: [
      '.*/**',
      '**/node_modules',
      'benchmarks/results',
      'build',
      'coverage',
      'dist',
      'jupyter_remote_gpu',
      'lib',
      'ui-tests/playwright-report',
      'ui-tests/test-results'
    ]
  },
  js.configs.recommended,
  {
    files: typescript,
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: {
        project: ['./tsconfig.test.json', './ui-tests/tsconfig.json'],
        tsconfigRootDir: import.meta.dirname
      }
    },
    rules: {
      '@typescript-eslint/naming-convention': [
        'error',
        {
          selector: 'interface',
          format: ['PascalCase'],
          custom: { regex: '^I[A-Z]', match: true }
        }
      ],
      '@typescript-eslint/no-unused-vars': ['error', { args: 'none' }],
      // Signals are connected to methods, with `this` as the second argument.
      '@typescript-eslint/unbound-method': 'off',
      // Namespaces beside a class are how this ecosystem names its options.
      '@typescript-eslint/no-namespace': 'off',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true }
      ],
      curly: ['error', 'all'],
      eqeqeq: 'error',
      'max-lines': ['error', { max: 300 }],
      'no-console': ['error', { allow: ['warn', 'error'] }],
      'prefer-arrow-callback': ['error', { allowNamedFunctions: true }]
    }
  },
  // The plugin's blocks name files, but not the plugin that their rules are of.
  ...jupyter.configs.recommended.map(block => ({
    ...block,
    plugins: { jupyter }
  })),
  {
    files: ['src/plugins/**/*.ts'],
    // All of it is some 20 kB: a second request would cost more than it saves.
    rules: { 'jupyter/prefer-lazy-imports': 'off' }
  },
  {
    files: ['src/**/*.tsx'],
    plugins: { 'react-hooks': reactHooks },
    rules: {
      'react-hooks/rules-of-hooks': 'error',
      'react-hooks/exhaustive-deps': 'error'
    }
  },
  {
    // The whole bundle is small, which a test holds: one request, not many.
    rules: { 'jupyter/prefer-lazy-imports': 'off' }
  },
  {
    // What a test shows, nobody reads.
    files: ['**/__tests__/**', 'ui-tests/**'],
    rules: { 'jupyter/no-untranslated-string': 'off' }
  },
  {
    files: ['*.js', 'style/*.js', 'ui-tests/*.js'],
    languageOptions: {
      globals: {
        __dirname: 'readonly',
        module: 'writable',
        process: 'readonly',
        require: 'readonly'
      }
    }
  },
  prettier
);
