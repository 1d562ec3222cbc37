import tseslint from 'typescript-eslint';

const namedExports = { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' };

/** Durations go by one clock, dates by another: who measures by the wall clock is wrong as soon as somebody sets it. */
const clocks = [
  { object: 'Date', property: 'now', message: 'lib/clock.ts: monotonicMs for durations, wallClock for dates.' },
  { object: 'performance', property: 'now', message: 'lib/clock.ts: monotonicMs for durations.' },
  { object: 'process', property: 'hrtime', message: 'lib/clock.ts: monotonicMs for durations.' },
];

export default tseslint.config(
  // What test/browser needs is installed by CI, which checks its types.
  { ignores: ['build/', 'dist/', '.tap/', 'node_modules/', 'test/browser/'] },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: { project: ['./test/tsconfig.json'], tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      // Hot loops index typed arrays and strings whose bounds were just checked.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      eqeqeq: ['error', 'always'],
      'no-restricted-syntax': ['error', namedExports],
    },
  },
  {
    files: ['lib/**/*.ts'],
    ignores: ['lib/clock.ts'],
    rules: {
      'no-restricted-properties': ['error', ...clocks],
      'no-restricted-syntax': [
        'error',
        namedExports,
        {
          selector: "NewExpression[callee.name='Date'][arguments.length=0], CallExpression[callee.name='Date']",
          message: 'lib/clock.ts: wallClock for dates, monotonicMs for durations.',
        },
        {
          selector: "CallExpression[callee.property.name='shift']",
          message: 'It moves the whole array: lib/queue.ts is a queue.',
        },
      ],
    },
  },
  {
    // Library layers never print, read the environment or exit: they throw, return, or publish.
    files: ['lib/**/*.ts'],
    ignores: ['lib/cli/**', 'lib/clock.ts'],
    rules: {
      'no-console': 'error',
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'exit', message: 'Only lib/cli ends the process.' },
        { object: 'process', property: 'env', message: 'Only lib/cli reads the environment.' },
        ...clocks,
      ],
    },
  },
  {
    // Tests of the reference services look at messages as at JSON: to declare each of them again would test nothing.
    files: ['test/examples/*.ts', 'test/durability/*.ts', 'test/support/{photoncloud,wallets}.ts'],
    rules: {
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
  {
    files: ['**/*.js'],
    extends: [tseslint.configs.disableTypeChecked],
  },
);
