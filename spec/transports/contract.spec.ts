import { networkContract, transportContract } from './contract';
import { rigKinds } from './rigs';

for (const kind of rigKinds) transportContract(kind);
for (const kind of rigKinds) if (kind.transport !== 'pair') networkContract(kind);
