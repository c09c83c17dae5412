export { catalogContract } from './catalog-contract.ts';
export type { CatalogUnderTest } from './catalog-fixtures.ts';
export { memoryCatalog } from './memory-catalog.ts';
