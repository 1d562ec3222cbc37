/** `npm run bench -- --once`: every benchmark runs, as briefly as it can, and its figures say nothing. CI sees that they run. */
export const once = process.argv.includes('--once');
