export { memoryCatalog } from './memory-catalog.ts';
