export type { CatalogUnderTest } from './catalog-contract.ts';
export { catalogContract } from './catalog-contract.ts';
export { memoryCatalog } from './memory-catalog.ts';
