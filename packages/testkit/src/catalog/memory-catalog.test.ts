import { catalogContract } from './catalog-contract.ts';
import { memoryCatalog } from './memory-catalog.ts';

catalogContract('memory', async () => {
  const catalog = memoryCatalog();
  return { catalog, dispose: () => catalog.close() };
});
