import type { ContenderName } from '../contenders';
import type { Runner, Scenario, Settings } from '../scenario';
import { prepareClients } from './clients';
import { prepareHandshakes } from './handshakes';
import { prepareLarge } from './large';
import { prepareLatency } from './latency';
import type { Load } from './load';
import { prepareMemory } from './memory';
import { prepareUnderLoad } from './underLoad';

type Prepare = (contender: ContenderName, scenario: Scenario, settings: Settings, load: Load) => Promise<Runner>;

export const measurements: Record<Scenario['measures'], Prepare> = {
  echo: prepareUnderLoad,
  broadcast: prepareUnderLoad,
  client: prepareClients,
  opening: prepareClients,
  handshakes: prepareHandshakes,
  openAndClose: prepareHandshakes,
  shortLived: prepareHandshakes,
  memory: prepareMemory,
  latency: prepareLatency,
  large: prepareLarge,
};
