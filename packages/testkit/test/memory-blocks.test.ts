import { blockStoreContract, memoryBlocks } from '@playhead/testkit';

blockStoreContract('memoryBlocks', async () => ({ blocks: memoryBlocks() }));
