/**
 * Imports go one way: schemas <- ports <- services <- server. See ARCHITECTURE.md; `infra/checks/boundaries.test.ts`
 * applies these rules and proves that each of them can fail.
 */
const SERVICES = '^(ingest|processors|live-gateway)/';
const ADAPTERS = '^packages/(log-|blocks-|catalog-)';
/** Tests may put parts together that sources may not. */
const TESTS = String.raw`(/test/|\.test\.ts$)`;

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true, pathNot: '[.]css' } },
    {
      name: 'schemas-import-nothing-of-ours',
      severity: 'error',
      from: { path: '^schemas/', pathNot: TESTS },
      to: { path: '^(packages|ingest|processors|live-gateway|player|recorder|server|e2e)/' },
    },
    {
      name: 'schemas-are-browser-safe',
      comment: 'The Avro records load their schema files; everything else runs in a page.',
      severity: 'error',
      from: { path: '^schemas/src/', pathNot: `^schemas/src/records/|${TESTS}` },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'ports-and-uploads-import-schemas-only',
      severity: 'error',
      from: { path: '^packages/(ports|uploads)/', pathNot: TESTS },
      to: { path: '^(packages|ingest|processors|live-gateway|player|recorder|server|e2e)/', pathNot: '^packages/(ports|uploads)/' },
    },
    {
      name: 'adapters-know-ports-and-schemas-only',
      severity: 'error',
      from: { path: ADAPTERS, pathNot: TESTS },
      to: { path: '^(packages/(?!ports/)|ingest|processors|live-gateway|player|recorder|server|e2e)', pathNot: '^packages/$1' },
    },
    { name: 'services-never-import-adapters', severity: 'error', from: { path: SERVICES, pathNot: TESTS }, to: { path: ADAPTERS } },
    {
      name: 'services-never-import-each-other',
      severity: 'error',
      from: { path: SERVICES, pathNot: TESTS },
      to: { path: SERVICES, pathNot: '^$1/' },
    },
    {
      name: 'sources-never-import-the-testkit',
      severity: 'error',
      from: { path: '^(ingest|processors|live-gateway|server|player|recorder|schemas|packages/(?!testkit/|sim/))', pathNot: TESTS },
      to: { path: '^packages/testkit/' },
    },
    {
      name: 'browser-code-imports-schemas-only',
      severity: 'error',
      from: { path: '^(player|recorder)/src/' },
      to: { path: '^(packages|ingest|processors|live-gateway|server|e2e)/' },
    },
    {
      name: 'cores-are-pure',
      comment: 'No I/O, no clock, no library: a core imports schemas and its own neighbours.',
      severity: 'error',
      from: { path: '/core/', pathNot: TESTS },
      to: { pathNot: '^schemas/src/|/core/' },
    },
    {
      name: 'nobody-imports-the-server',
      severity: 'error',
      from: { pathNot: '^(server|e2e|bench|infra|packages/fuzz)/' },
      to: { path: '^server/' },
    },
  ],
  options: {
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|data|node_modules)/' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.js', '.json'],
    },
  },
};
